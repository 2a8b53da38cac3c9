import Synchronization

/// Renews the token of one connection: when the server says that it expires, sends another one on the same connection.
///
/// One renewal at a time. One that fails is repeated with growing pauses until it succeeds, or the connection ends.
package final class TokenRenewal: Sendable {
    /// No other command has it: the requests of sessions are numbers.
    private static let requestID = "auth"
    /// How long before a token's end a server may announce it, at most.
    private static let longestNotice = Duration.seconds(60)
    private static let firstPause = Duration.milliseconds(250)
    private static let longestPause = Duration.seconds(5)

    private struct State {
        /// When the connection's token was accepted.
        var accepted: ContinuousClock.Instant
        var task: Task<Void, Never>?
        /// Completed by the server's answer.
        var answer: OneShot<Void>?
        var isEnded = false
    }

    private let credential: Credential
    private let connection: WebSocketConnection
    private let environment: ReconnectingTransport.Environment
    private let onFailure: @Sendable (ClientError) -> Void
    private let state: Mutex<State>

    init(
        of connection: WebSocketConnection,
        credential: Credential,
        environment: ReconnectingTransport.Environment,
        onFailure: @escaping @Sendable (ClientError) -> Void
    ) {
        self.connection = connection
        self.credential = credential
        self.environment = environment
        self.onFailure = onFailure
        state = Mutex(State(accepted: environment.now()))
    }

    /// Renews the token of a connection that no transport keeps.
    package convenience init(
        of connection: WebSocketConnection,
        credential: Credential,
        onFailure: @escaping @Sendable (ClientError) -> Void
    ) {
        self.init(of: connection, credential: credential, environment: .init(), onFailure: onFailure)
    }

    /// Handles a message about the token. Returns `false` if the message is about something else.
    package func handle(_ message: ServerMessage) -> Bool {
        switch message {
        case .info(let info) where info.message == "token_expiring":
            begin(validity: .milliseconds(max(info.expiresInMilliseconds ?? 0, 0)))
        case .ack(let ack) where ack.requestID == Self.requestID:
            answered(.success(()))
        case .error(let reply) where reply.requestID == Self.requestID:
            answered(.failure(ClientError(reply, topic: nil)))
        default:
            return false
        }
        return true
    }

    /// Ends a renewal that is under way, with the connection.
    package func end() {
        let task = state.withLock { state in
            state.isEnded = true
            return state.task
        }
        task?.cancel()
    }

    private func answered(_ result: Result<Void, ClientError>) {
        let now = environment.now()
        let answer = state.withLock { state in
            defer { state.answer = nil }
            // Over at once, and not when its task goes on: what follows may announce the end of the new token.
            if case .success = result, state.answer != nil {
                state.accepted = now
                state.task = nil
            }
            return state.answer
        }
        answer?.complete(result)
    }

    private func begin(validity: Duration) {
        guard credential.canRenew else { return }
        let now = environment.now()
        state.withLock { state in
            guard state.task == nil, !state.isEnded else { return }
            // A token that lives for less than the server's notice is announced again at once, and so is one that the
            // provider returned twice. Half of what is left must be over first.
            let wait = state.accepted + min(validity, Self.longestNotice) / 2 - now
            state.task = Task { await renew(after: wait) }
        }
    }

    private func renew(after wait: Duration) async {
        if wait > .zero { try? await environment.sleep(wait) }
        var ceiling = Self.firstPause
        while !Task.isCancelled {
            do throws(ClientError) {
                return try await renewOnce()
            } catch {
                if Task.isCancelled { return }
                // The session finds the error in the credential.
                if credential.end != nil { return await connection.abort() }
                onFailure(error)
            }
            try? await environment.sleep(environment.random(ceiling))
            ceiling = min(ceiling * 2, Self.longestPause)
        }
    }

    private func renewOnce() async throws(ClientError) {
        guard let token = try await credential.currentToken() else { return }
        let answer = OneShot<Void>()
        state.withLock { $0.answer = answer }
        connection.post(texts: [ClientCommand.token(token).text(requestID: Self.requestID)])
        try await answer.value()
    }
}
