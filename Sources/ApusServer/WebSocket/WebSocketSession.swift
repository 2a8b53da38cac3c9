import ApusProtocol

/// What a WebSocket connection is used for: it gets whole messages, and tells what to send through its connection.
///
/// Lives on the connection's event loop.
protocol WebSocketSession: AnyObject {
    /// A whole message came, unmasked. Text has been checked to be UTF-8; a binary message has not.
    ///
    /// - Returns: `false` to get the message again later, and nothing else before it, after
    ///   ``WebSocketConnection/continueReading()``.
    func received(_ message: UnsafeRawBufferPointer, isText: Bool) -> Bool

    /// The socket takes more again after it did not.
    func becameWritable()

    /// Whether nothing is left to send, so that the connection may be closed at shutdown.
    var isDrained: Bool { get }

    /// The server is about to close the connection: a last chance to send something.
    func willDisconnect(_ reason: Disconnect)

    /// The connection is over, or is about to be: nothing more comes, and nothing more will be sent.
    func ended()

    /// Called about once a second with a monotonic time in milliseconds.
    func tick(now: Int64)
}
