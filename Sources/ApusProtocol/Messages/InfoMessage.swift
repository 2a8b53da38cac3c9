/// A message that the server sends on its own initiative, in the same words on every transport.
package enum InfoMessage: Sendable {
    /// A sign of life.
    case heartbeat
    /// `count` messages were skipped at this point. With positions, `range` says which.
    case messagesDropped(topicJSON: [UInt8], count: UInt64, range: ClosedRange<UInt64>?)
    case topicDeleted(topicJSON: [UInt8])
    /// The topic does not exist yet. The subscription waits for it.
    case waiting(topicJSON: [UInt8])
    /// The topic that a subscription waited for exists now.
    case topicCreated(topicJSON: [UInt8], epoch: String)
    /// Some of the messages after the requested position are lost. The events that follow come after `offset`.
    case notRecovered(topicJSON: [UInt8], epoch: String, offset: UInt64, missed: ClosedRange<UInt64>?)
    /// A subscription is near the lag of `queue` messages at which it will be ended.
    case slowConsumerWarning(topicJSON: [UInt8], lag: UInt64, queue: Int)
    /// Another subscriber joined or left the topic.
    case presence(topicJSON: [UInt8], hasJoined: Bool, clientID: String)
    /// `count` presence messages were left out for a client that did not read.
    case presenceDropped(topicJSON: [UInt8], count: UInt64)
    /// A subscription was ended because the client may not have it any more.
    case unsubscribed(topicJSON: [UInt8], reason: String)
    /// The client's credential ends in so many milliseconds, and should be renewed.
    case tokenExpiring(expiresIn: Int64)
    /// The server stops. Says when to reconnect, in milliseconds from now.
    case shutdown(reconnectAfter: Int64)

    /// The members after `"type":"info"`, each preceded by a comma.
    package var members: String {
        JSONWriter.moreMembers { writer in
            if let topicJSON { writer.member("topic", json: String(decoding: topicJSON, as: UTF8.self)) }
            writer.member("msg", word)
            writeDetails(to: &writer)
        }
    }

    /// Which message it is: the value of `msg`.
    private var word: String {
        switch self {
        case .heartbeat: "ping"
        case .messagesDropped: "messages_dropped"
        case .topicDeleted: "topic_deleted"
        case .waiting: "waiting"
        case .topicCreated: "topic_created"
        case .notRecovered: "not_recovered"
        case .slowConsumerWarning: "slow_consumer_warning"
        case .presence(_, let hasJoined, _): hasJoined ? "joined" : "left"
        case .presenceDropped: "presence_dropped"
        case .unsubscribed: "unsubscribed"
        case .tokenExpiring: "token_expiring"
        case .shutdown: "shutdown"
        }
    }

    private var topicJSON: [UInt8]? {
        switch self {
        case .heartbeat, .tokenExpiring, .shutdown: nil
        case .messagesDropped(let topic, _, _), .topicDeleted(let topic), .waiting(let topic),
            .topicCreated(let topic, _), .notRecovered(let topic, _, _, _), .slowConsumerWarning(let topic, _, _),
            .presence(let topic, _, _), .presenceDropped(let topic, _), .unsubscribed(let topic, _):
            topic
        }
    }

    private func writeDetails(to writer: inout JSONWriter) {
        switch self {
        case .heartbeat, .topicDeleted, .waiting:
            break
        case .messagesDropped(_, let count, let range):
            writer.member("dropped", count)
            if let range {
                writer.member("from", range.lowerBound)
                writer.member("to", range.upperBound)
            }
        case .topicCreated(_, let epoch):
            writer.member("epoch", epoch)
        case .notRecovered(_, let epoch, let offset, let missed):
            writer.member("epoch", epoch)
            writer.member("offset", offset)
            writer.member("recovered", false)
            if let missed { writer.member("missed", missed) }
        case .slowConsumerWarning(_, let lag, let queue):
            writer.member("lag", lag)
            writer.member("queue", queue)
        case .presence(_, _, let clientID):
            writer.member("client_id", clientID)
        case .presenceDropped(_, let count):
            writer.member("dropped", count)
        case .unsubscribed(_, let reason):
            writer.member("reason", reason)
        case .tokenExpiring(let expiresIn):
            writer.member("expires_in_ms", expiresIn)
        case .shutdown(let reconnectAfter):
            writer.member("reconnect_after_ms", reconnectAfter)
        }
    }
}
