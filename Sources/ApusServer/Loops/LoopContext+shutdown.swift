extension LoopContext {
    /// How long a client should wait before it reconnects after a shutdown, in milliseconds. The value is random within
    /// a range that grows with the number of clients, so that about `reconnect_rate` clients reconnect
    /// per second.
    func reconnectDelay() -> Int64 {
        LoopContexts.reconnectDelay(of: open.value + openStreams.value, rate: settings.limits.reconnectRate)
    }

    /// Closes everything that is still open.
    func abort() {
        for connection in connections { connection.end() }
        for stream in streams { stream.end() }
        closePending()
    }

    /// Closes the connections that have not sent a request.
    func closePending() {
        for connection in pending { connection.close() }
    }
}
