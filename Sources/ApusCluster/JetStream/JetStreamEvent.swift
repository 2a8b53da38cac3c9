package import NIOCore

/// What JetStream tells a ``ClusterNode``.
///
/// Events may come late, twice or never: the node expects that. Only those of one consumer come in the order in which
/// the connection received them.
package enum JetStreamEvent: Sendable {
    case connected
    /// Answers may still come for what was sent before.
    case disconnected
    /// For a ``PublishRequest/number``.
    case answered(UInt64, PublishAnswer)
    case delivered(Delivery)
    /// An idle heartbeat. `deliveries` is its `Nats-Last-Consumer`.
    case heartbeat(ClusterStream, consumer: UInt64, deliveries: UInt64)
    /// The consumer could not be made, or is gone.
    case consumerFailed(ClusterStream, consumer: UInt64)
}

/// The answer to a ``PublishRequest``.
package enum PublishAnswer: Sendable, Equatable {
    /// A majority has it. `isDuplicate` if this came from an earlier copy.
    case acked(sequence: UInt64, isDuplicate: Bool)
    /// 10071 with the sequence that it names: the subject's last message is another one.
    case wrongLastSequence(UInt64)
    /// Whether it was taken is not known: time-out, no responders, 10008, 10158, 10164, disconnected, and all other
    /// codes that do not say that this message can never be taken.
    case unavailable(String)
    /// This message can never be taken: too large, unknown stream, no permission, 10060 (wrong stream).
    case refused(String)
}

/// A message from a stream's consumer.
package struct Delivery: Sendable {
    package let stream: ClusterStream
    /// The ``ConsumeRequest/number``.
    package let consumer: UInt64
    /// The consumer sequence of the ack reply: 1, 2, 3, … for each consumer.
    package let number: UInt64
    /// The stream sequence.
    package let sequence: UInt64
    package let subject: String
    /// `Nats-Msg-Id`; `nil` if there is none, or not one that a node makes.
    package let packID: PackID?
    /// The header ``PackHeader/name``, ``TopicEntry/name``, ``RegistryNote/name`` or ``BarrierHeader/name``, whichever
    /// there is.
    package let header: String?
    package let body: ByteBuffer

    package init(
        stream: ClusterStream,
        consumer: UInt64,
        number: UInt64,
        sequence: UInt64,
        subject: String,
        id: String?,
        header: String?,
        body: ByteBuffer
    ) {
        self.stream = stream
        self.consumer = consumer
        self.number = number
        self.sequence = sequence
        self.subject = subject
        packID = id.flatMap { PackID($0) }
        self.header = header
        self.body = body
    }
}
