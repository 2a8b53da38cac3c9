import ApusProtocol

/// The application protocol of a WebSocket connection. The session receives whole messages, and sends messages through
/// its connection.
///
/// Used only on the connection's event loop.
protocol WebSocketSession: AnyObject {
    /// Handles a whole, unmasked message. Text is valid UTF-8; a binary message is not checked.
    ///
    /// - Returns: `false` to postpone the message. The session gets it again after
    ///   ``WebSocketConnection/continueReading()``, and no other message before it.
    func received(_ message: UnsafeRawBufferPointer, isText: Bool) -> Bool

    /// The socket accepts more data again.
    func becameWritable()

    /// Whether nothing is left to send, so that the connection may be closed at shutdown.
    var isDrained: Bool { get }

    /// The server is about to close the connection. This is the last chance to send something.
    func willDisconnect(_ reason: Disconnect)

    /// The connection is over or about to be. The session gets no more messages and cannot send any.
    func ended()

    /// The revocations changed: the session ends if its client's credential is among them.
    func checkAccess()

    /// Called about once a second with a monotonic time in milliseconds.
    func tick(now: Int64)
}
