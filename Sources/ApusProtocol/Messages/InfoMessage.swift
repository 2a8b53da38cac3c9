import NIOCore

/// A message that the server sends on its own initiative, in the same words on every transport.
public enum InfoMessage: Sendable {
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
    /// The server stops. Says when to reconnect, in milliseconds from now.
    case shutdown(reconnectAfter: Int64)

    /// The members after `"type":"info"`, each preceded by a comma.
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

/// `text` as a JSON string with quotes.
public func jsonString(_ text: String) -> String {
    var buffer = ByteBuffer()
    appendJSONString(text, to: &buffer)
    return String(buffer: buffer)
}
