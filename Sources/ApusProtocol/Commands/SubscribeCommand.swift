/// A `subscribe` as a client writes it.
package struct SubscribeCommand: Hashable, Sendable {
    package enum Since: Hashable, Sendable {
        case position(epoch: String, offset: Int)
        /// A duration such as `10m`, an RFC 3339 time, or `all`.
        case text(String)
    }

    package var topic: String
    package var clientID: String
    package var lastN = 0
    package var since: Since?
    package var hasPositions = false
    package var overflow: OverflowPolicy?
    package var queue: Int?
    package var hasPresence = false
    package var waits = false

    package init(topic: String, clientID: String, lastN: Int = 0) {
        self.topic = topic
        self.clientID = clientID
        self.lastN = lastN
    }

    package func text(requestID: String?) -> String {
        JSONWriter.object { writer in
            writer.member("type", "subscribe")
            writer.member("topic", topic)
            writer.member("client_id", clientID)
            if let requestID { writer.member("request_id", requestID) }
            if lastN != 0 { writer.member("last_n", lastN) }
            switch since {
            case .position(let epoch, let offset):
                writer.object("since") { position in
                    position.member("epoch", epoch)
                    position.member("offset", offset)
                }
            case .text(let text): writer.member("since", text)
            case nil: break
            }
            if hasPositions { writer.member("positions", true) }
            if let overflow { writer.member("overflow", overflow.rawValue) }
            if let queue { writer.member("queue", queue) }
            if hasPresence { writer.member("presence", true) }
            if waits { writer.member("wait", true) }
        }
    }
}
