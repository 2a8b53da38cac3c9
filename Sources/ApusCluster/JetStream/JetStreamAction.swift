package import NIOCore

/// What a ``ClusterNode`` wants to be done with JetStream.
package enum JetStreamAction: Sendable, Equatable {
    /// Send a message, and report the answer, or that there is none, with ``JetStreamEvent/answered(_:_:)``.
    case publish(PublishRequest)
    /// Read a stream with an ordered push consumer (heartbeat 1 s, nothing filtered) from a sequence on. It takes the
    /// place of the stream's consumer before it, of which nothing more need be reported.
    case consume(ConsumeRequest)
    /// Remove what a subject has before a sequence. Nobody waits for the answer.
    case purge(ClusterStream, subject: String, before: UInt64)
    /// Leave this server for another one of the cluster. Report ``JetStreamEvent/disconnected`` and
    /// ``JetStreamEvent/connected`` as for any loss of the connection.
    case changeServer
}

/// A message to be published to a stream.
package struct PublishRequest: Sendable, Equatable {
    /// Names the attempt; the answer says it. A pack that is sent again is another attempt.
    package let number: UInt64
    package let stream: ClusterStream
    package let subject: String
    /// Becomes `Nats-Msg-Id`.
    package let id: PackID
    package let expected: ExpectedSequence
    /// The header by which it is read again.
    package let header: Header
    package let body: ByteBuffer
    /// Report ``PublishAnswer/unavailable(_:)`` if there is no answer after so many milliseconds.
    package let timeout: Int64

    package struct Header: Sendable, Equatable {
        /// ``PackHeader/name``, ``TopicEntry/name``, ``RegistryNote/name`` or ``BarrierHeader/name``.
        package let name: String
        package let value: String

        package init(_ pack: PackHeader) { (name, value) = (PackHeader.name, pack.text) }

        package init(_ entry: TopicEntry) { (name, value) = (TopicEntry.name, entry.text) }

        package init(_ barrier: BarrierHeader) { (name, value) = (BarrierHeader.name, barrier.text) }
    }

    package init(
        number: UInt64,
        stream: ClusterStream,
        subject: String,
        id: PackID,
        expected: ExpectedSequence,
        header: Header,
        body: ByteBuffer,
        timeout: Int64
    ) {
        self.number = number
        self.stream = stream
        self.subject = subject
        self.id = id
        self.expected = expected
        self.header = header
        self.body = body
        self.timeout = timeout
    }
}

/// `Nats-Expected-Last-Subject-Sequence`.
package enum ExpectedSequence: Sendable, Equatable, Hashable {
    /// No such header. Never send an empty one: it would mean this.
    case anything
    /// The subject has no message yet: "0" on the wire, `ExpectNoMessage` in libnats, where 0 would mean `anything`.
    case noMessage
    /// The last message of the subject has this sequence, which is above 0.
    case last(UInt64)

    package init(_ sequence: UInt64) { self = sequence == 0 ? .noMessage : .last(sequence) }
}

/// An ordered push consumer to be made.
package struct ConsumeRequest: Sendable, Equatable {
    package let stream: ClusterStream
    /// Names the consumer; what it brings says it. Those of one stream increase.
    package let number: UInt64
    /// The first sequence to be delivered (`opt_start_seq`), at least 1.
    package let from: UInt64

    package init(stream: ClusterStream, number: UInt64, from: UInt64) {
        self.stream = stream
        self.number = number
        self.from = from
    }
}
