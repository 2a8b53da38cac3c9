import NIOConcurrencyHelpers

/// The policy in force and the revocations, shared by all loops of a server.
///
/// The lock is a leaf: it is held for a look-up or a change, never while a token is verified or keys are fetched. The
/// policy is swapped as a whole, so that nobody sees half of a reload.
package final class Authenticator: Sendable {
    private struct State {
        var policy: AccessPolicy
        var revocations: Revocations
    }

    private let state: NIOLockedValueBox<State>

    package init(_ policy: AccessPolicy, revocations: Revocations = Revocations()) {
        state = NIOLockedValueBox(State(policy: policy, revocations: revocations))
    }

    package var policy: AccessPolicy { state.withLockedValue { $0.policy } }

    /// Checks credentials; fetches remote keys for tokens if they are due.
    ///
    /// - Parameter now: milliseconds since 1970, by the wall clock.
    package func authenticate(_ credentials: Credentials, at now: Int64) async -> Authentication {
        await policy.authenticate(
            credentials,
            revocations: { [state] in state.withLockedValue { $0.revocations } },
            at: now
        )
    }

    /// Checks credentials at once; `nil` if remote keys may have to be fetched for them.
    package func authenticateAtOnce(_ credentials: Credentials, at now: Int64) -> Authentication? {
        let (policy, revocations) = state.withLockedValue { ($0.policy, $0.revocations) }
        return policy.authenticateAtOnce(credentials, revocations: revocations, at: now)
    }

    /// Puts another policy in force.
    ///
    /// - Returns: what became of the keys that were accepted so far, by id.
    package func replacePolicy(_ next: AccessPolicy) -> [String: KeyRing.Change] {
        let old = state.withLockedValue { state in
            let old = state.policy
            state.policy = next
            return old
        }
        return old.keys.changes(to: next.keys)
    }

    /// Reads or changes the revocations.
    package func withRevocations<Result>(_ body: (inout Revocations) throws -> Result) rethrows -> Result {
        try state.withLockedValue { try body(&$0.revocations) }
    }
}
