import Synchronization

/// Asks a provider for tokens. All who need one at the same time share a call.
///
/// A call ends after `limit` even if the provider ignores its cancellation. So at most one call is waited for, whatever
/// the provider does. One leaf lock guards the state.
final class TokenSupply: Sendable {
    private struct State {
        /// The call under way.
        var call: OneShot<String>?
        var end: ClientError?
    }

    private let provider: ApusClient.TokenSource.Provider
    private let limit: Duration
    private let state = Mutex(State())

    init(provider: @escaping ApusClient.TokenSource.Provider, limit: Duration) {
        self.provider = provider
        self.limit = limit
    }

    /// The error by which the provider said that there are no tokens any more.
    var end: ClientError? { state.withLock { $0.end } }

    /// A token. Throws `tokenUnavailable` if the provider fails, and the provider's own error if that is for good.
    func token() async throws(ClientError) -> String {
        if let end { throw end }
        let (call, isNew) = state.withLock { state in
            if let call = state.call { return (call, false) }
            let call = OneShot<String>()
            state.call = call
            return (call, true)
        }
        if isNew { start(call) }
        return try await call.value()
    }

    private func start(_ call: OneShot<String>) {
        let asking = Task { finish(call, await ask()) }
        let timer = Task {
            guard (try? await Task.sleep(for: limit)) != nil else { return }
            let message = "the token provider did not answer within \(limit)"
            finish(call, .failure(ClientError(.tokenUnavailable, message)))
        }
        Task {
            _ = try? await call.value()
            asking.cancel()
            timer.cancel()
        }
    }

    private func finish(_ call: OneShot<String>, _ result: Result<String, ClientError>) {
        state.withLock { state in
            // A late answer to a call that was given up.
            guard state.call === call else { return }
            state.call = nil
            if case .failure(let error) = result, error.code == .unauthorized { state.end = error }
        }
        call.complete(result)
    }

    private func ask() async -> Result<String, ClientError> {
        do {
            let token = try await provider()
            guard Self.isToken(token) else {
                let message = "the token provider returned no token: it is empty, or has spaces in it"
                return .failure(ClientError(.tokenUnavailable, message))
            }
            return .success(token)
        } catch let error as ClientError where error.code == .unauthorized || error.code == .tokenUnavailable {
            return .failure(error)
        } catch {
            return .failure(ClientError(.tokenUnavailable, "the token provider failed: \(error)", cause: error))
        }
    }

    /// Whether a text can be a token. Errors about header fields that are not valid would show it.
    static func isToken(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }
}
