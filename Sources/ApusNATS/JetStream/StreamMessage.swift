#if NATS
package import NIOCore

/// A message of a stream.
package struct StreamMessage: Sendable {
    package let sequence: UInt64
    /// The how many-th message of its reader it is, from 1.
    package let number: UInt64
    package let subject: String
    package let headers: [NATSHeader]
    package let body: ByteBuffer
    /// When the stream's leader took it, in nanoseconds since 1970.
    package let time: Int64
    /// How many messages of the stream come after it, as far as the server knew.
    package let pending: UInt64

    init(_ message: NATSMessage, _ delivery: DeliverySubject) {
        sequence = delivery.sequence
        number = delivery.delivered
        subject = message.subject
        headers = message.headers
        body = message.body
        time = delivery.time
        pending = delivery.pending
    }

    package subscript(header name: String) -> String? {
        headers.first { $0.name == name }?.value
    }
}
#endif
