extension LoopContext {
    /// Closes everything that is still open.
    func abort() {
        for connection in connections { connection.end() }
        for stream in streams { stream.end() }
        closePending()
    }
}
