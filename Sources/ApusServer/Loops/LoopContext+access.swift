import ApusAccess
import ApusBroker
import ApusProtocol

// Clients whose credentials end.

extension LoopContext {
    /// Checks all clients after the revocations or the policy have changed.
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
        let number = access.policyNumber
        guard !access.isOpen || number > 1 else { return }
        // Streams that end change the list, so iterate over a copy.
        for stream in streams {
            if stream.policyNumber != number {
                stream.policyNumber = number
                reconsider(stream)
            }
            if case .ended(let reason) = access.standing(of: stream.access) {
                stream.end(reason)
            } else if let remaining = access.remaining(stream.access), remaining <= 0 {
                stream.end(.tokenExpired)
            } else if let wait = access.untilWarning(stream.access), wait <= 0 {
                stream.tellExpiring()
            }
        }
    }

    /// Compares a client with the policy in force.
    private func reconsider(_ stream: any StreamingSubscriber) {
        switch access.reconsider(stream.access.principal) {
        case .open: stream.access = .unlimited
        case .anonymous: stream.end(.unauthorized)
        case .refused: stream.end(.revoked)
        case .admitted(let client):
            let old = stream.access.rights
            stream.access = client
            guard client.rights != old else { return }
            let ended = hub.adapt(stream) { request in
                stream.covers(request) ? .continues(client.permission(for: request.topic)) : .ends(.forbidden)
            }
            if !ended.isEmpty { stream.lost(ended) }
        }
    }
}
