package import NIOCore

/// A question for what a topic has in its stream, from a sequence on.
package struct PackRead: Sendable, Equatable {
    package let stream: ClusterStream
    package let subject: String
    /// The first sequence that is looked at.
    package let from: UInt64
    /// How many messages are wanted at most, and about how many bytes: the first one comes whatever its size.
    package let count: Int
    package let bytes: Int
    /// Without an answer after so many milliseconds, it is ``PackReadAnswer/unavailable(_:)``.
    package let timeout: Int64

    package init(stream: ClusterStream, subject: String, from: UInt64, count: Int, bytes: Int, timeout: Int64) {
        self.stream = stream
        self.subject = subject
        self.from = from
        self.count = count
        self.bytes = bytes
        self.timeout = timeout
    }
}

/// What came of a ``PackRead``. Any server that has the stream may have answered, also one that is behind.
package enum PackReadAnswer: Sendable {
    /// Those that come next, without one left out between them: at least one.
    case packs([StoredPack])
    /// There is nothing from that sequence on, or this server does not know of it yet.
    case nothing
    case unavailable(String)
}

/// A message of a topic's subject, as its stream has it.
package struct StoredPack: Sendable {
    package let sequence: UInt64
    /// The header ``PackHeader/name``, if there is one.
    package let header: String?
    package let body: ByteBuffer

    package init(sequence: UInt64, header: String?, body: ByteBuffer) {
        self.sequence = sequence
        self.header = header
        self.body = body
    }
}
