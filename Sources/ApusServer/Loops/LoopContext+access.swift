import ApusBroker
import ApusProtocol

// Clients whose credentials end.

extension LoopContext {
    /// Ends the streams of clients whose credentials have expired. Sessions check their own.
    func checkExpiry() {
        guard !access.isOpen else { return }
        for stream in streams {
            if let remaining = access.remaining(stream.access), remaining <= 0 { stream.end(.tokenExpired) }
            if let wait = access.untilWarning(stream.access), wait <= 0 { stream.tellExpiring() }
        }
    }

    /// Ends the connections and streams of clients whose credentials were revoked.
    func checkAccess() {
        beginBurst()
        for connection in connections { connection.session?.checkAccess() }
        for stream in streams {
            if case .ended(let reason) = access.standing(of: stream.access) { stream.end(reason) }
        }
        flushReplies()
        hub.endBursts()
    }
}
