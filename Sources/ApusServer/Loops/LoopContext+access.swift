import ApusBroker
import ApusProtocol

// Clients whose credentials end.

extension LoopContext {
    /// Checks all clients after the revocations have changed.
    func checkAccess() {
        beginBurst()
        for connection in connections { connection.session?.checkAccess() }
        checkStreams()
        flushReplies()
        hub.endBursts()
    }

    /// Ends the streams of clients whose credentials were revoked or have expired. Called once a second; sessions check
    /// their own.
    func checkStreams() {
        guard !access.isOpen else { return }
        // Streams that end change the list, so iterate over a copy.
        for stream in streams {
            if case .ended(let reason) = access.standing(of: stream.access) {
                stream.end(reason)
            } else if let remaining = access.remaining(stream.access), remaining <= 0 {
                stream.end(.tokenExpired)
            } else if let wait = access.untilWarning(stream.access), wait <= 0 {
                stream.tellExpiring()
            }
        }
    }
}
