import ApusBroker
import ApusProtocol

/// A span that waits for the collector.
///
/// Those of publishes and deliveries are many. They have only what differs from one to the next; ``OTLPRequest`` makes
/// the text of it, on the exporter's thread.
enum EndedSpan: Sendable {
    case publish(PublishSpan)
    case delivery(DeliverySpan)
    /// Of a request, or of a library.
    indirect case other(SpanRecord)
}

/// A publish of messages whose trace is recorded, until they are in the log or kept.
struct PublishSpan: Sendable {
    enum Outcome {
        case published(PublishReceipt)
        /// With an error code of the protocol.
        case failed(String, message: String? = nil)
    }

    /// The span itself, where the messages' trace goes on.
    let trace: TraceContext
    /// The span that it belongs to.
    let parent: UInt64
    let messages: Int
    /// Of the only message.
    let messageID: String
    /// The number of the WebSocket connection.
    let connection: UInt64?
    /// In nanoseconds since 1970.
    let start: UInt64
    private(set) var end: UInt64 = 0
    /// The name as a quoted JSON string, also of a topic that there is not.
    private(set) var topicJSON: [UInt8] = []
    /// `nil` while it is under way.
    private(set) var outcome: Outcome?

    init(
        trace: TraceContext,
        parent: UInt64,
        messages: Int,
        messageID: String,
        connection: UInt64? = nil,
        start: UInt64
    ) {
        (self.trace, self.parent, self.start) = (trace, parent, start)
        (self.messages, self.messageID, self.connection) = (messages, messageID, connection)
    }

    /// The span while its publish waits: if it never comes again, this is the topic that it was for.
    func waiting(_ topicJSON: [UInt8]) -> PublishSpan {
        var span = self
        span.topicJSON = topicJSON
        return span
    }

    func ended(_ topicJSON: [UInt8], _ outcome: Outcome, at time: UInt64) -> PublishSpan {
        var span = self
        // The wall clock may have been set back meanwhile.
        (span.end, span.topicJSON, span.outcome) = (max(time, start), topicJSON, outcome)
        return span
    }
}

/// What was new in a topic, handed to the subscriptions of an event loop.
struct DeliverySpan: Sendable {
    /// The span itself.
    let trace: TraceContext
    /// Where the traces of its messages go on; the first is its parent.
    let links: [TraceContext]
    let topicJSON: [UInt8]
    let loop: String
    let messages: UInt64
    let subscriptions: Int
    let deliveries: UInt64
    /// In nanoseconds since 1970.
    let start, end: UInt64
}
