import NIOCore

/// News that the server sends of its own accord, on every transport in the same words.
public enum InfoMessage: Sendable {
    /// A sign of life.
    case heartbeat
    /// So many messages were skipped at this place; with positions also from which to which offset.
    case messagesDropped(topicJSON: [UInt8], count: UInt64, range: ClosedRange<UInt64>?)
    case topicDeleted(topicJSON: [UInt8])
    /// There is no topic yet: the subscription waits for it.
    case waiting(topicJSON: [UInt8])
    /// The topic that a subscription waited for is there.
    case topicCreated(topicJSON: [UInt8], epoch: String)
    /// What was asked for after a position is not all there; what follows does after `offset`.
    case notRecovered(topicJSON: [UInt8], epoch: String, offset: UInt64, missed: ClosedRange<UInt64>?)
    /// A subscription that would be cut at `queue` is nearly there.
    case slowConsumerWarning(topicJSON: [UInt8], lag: UInt64, queue: Int)
    /// Somebody else subscribed to the topic, or is gone from it.
    case presence(topicJSON: [UInt8], hasJoined: Bool, clientID: String)
    /// So many of such news were left out for a client that did not take them.
    case presenceDropped(topicJSON: [UInt8], count: UInt64)
    /// The server stops; a good time to come back.
    case shutdown(reconnectAfter: Int64)

    /// The members behind `"type":"info"`, with a comma before each.
    public var members: String {
        switch self {
        case .heartbeat:
            return #","msg":"ping""#
        case .messagesDropped(let topic, let count, let range):
            let positions = range.map { #","from":\#($0.lowerBound),"to":\#($0.upperBound)"# } ?? ""
            return Self.of(topic, #","msg":"messages_dropped","dropped":\#(count)"# + positions)
        case .topicDeleted(let topic):
            return Self.of(topic, #","msg":"topic_deleted""#)
        case .waiting(let topic):
            return Self.of(topic, #","msg":"waiting""#)
        case .topicCreated(let topic, let epoch):
            return Self.of(topic, #","msg":"topic_created","epoch":"\#(epoch)""#)
        case .notRecovered(let topic, let epoch, let offset, let missed):
            let range = missed.map { #","missed":{"from":\#($0.lowerBound),"to":\#($0.upperBound)}"# } ?? ""
            let position = #","epoch":"\#(epoch)","offset":\#(offset)"#
            return Self.of(topic, #","msg":"not_recovered""# + position + #","recovered":false"# + range)
        case .slowConsumerWarning(let topic, let lag, let queue):
            return Self.of(topic, #","msg":"slow_consumer_warning","lag":\#(lag),"queue":\#(queue)"#)
        case .presence(let topic, let hasJoined, let clientID):
            let message = hasJoined ? "joined" : "left"
            return Self.of(topic, #","msg":"\#(message)","client_id":"# + jsonString(clientID))
        case .presenceDropped(let topic, let count):
            return Self.of(topic, #","msg":"presence_dropped","dropped":\#(count)"#)
        case .shutdown(let reconnectAfter):
            return #","msg":"shutdown","reconnect_after_ms":\#(reconnectAfter)"#
        }
    }

    private static func of(_ topicJSON: [UInt8], _ members: String) -> String {
        #","topic":"# + String(decoding: topicJSON, as: UTF8.self) + members
    }
}

/// `text` as a JSON string, with its quotes.
public func jsonString(_ text: String) -> String {
    var buffer = ByteBuffer()
    appendJSONString(text, to: &buffer)
    return String(buffer: buffer)
}
