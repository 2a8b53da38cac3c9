import ApusProtocol

/// The application protocol of a WebSocket connection. The session receives whole messages, and sends messages through
/// its connection.
///
/// Used only on the connection's event loop.
protocol WebSocketSession: AnyObject {
    /// Handles a whole, unmasked message. Text is valid UTF-8; a binary message is not checked.
    ///
    /// - Parameter mayStage: whether the bytes stay until ``commit()``, and more messages follow before that.
    /// - Returns: the message that the session postpones, if any: this one, or one that was staged before it. The
    ///   session gets it again after ``WebSocketConnection/continueReading()``, then those after it, and no other
    ///   message before.
    func received(_ message: UnsafeRawBufferPointer, isText: Bool, mayStage: Bool) -> UnsafeRawBufferPointer?

    /// Handles the messages that the session has staged in ``LoopContext/staged``.
    ///
    /// - Returns: the first of them that the session postpones.
    func commit() -> UnsafeRawBufferPointer?

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

    /// The loop's rate limits changed.
    func ratesChanged()

    /// Called about once a second with a monotonic time in milliseconds.
    func tick(now: Int64)
}
