import Logging
import NIOCore
import Synchronization

/// Keeps one connection to the server: connects, hands the connection to its session, and reconnects when it is lost.
struct ReconnectingTransport: Sendable {
    /// Sleep and randomness, which tests replace.
    struct Environment: Sendable {
        var sleep: @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
        var random: @Sendable (Duration) -> Duration = { $0 * Double.random(in: 0...1) }
        var now: @Sendable () -> ContinuousClock.Instant = { .now }
    }

    /// A connection that was made before a session needed one. The first session that needs one takes it.
    final class Spare: Sendable {
        private let connection = Mutex<WebSocketConnection?>(nil)

        func put(_ connection: WebSocketConnection) {
            self.connection.withLock { $0 = connection }
        }

        func take() -> WebSocketConnection? {
            connection.withLock { connection in
                defer { connection = nil }
                return connection
            }
        }
    }

    /// The shortest pause, so that small random values do not cause a burst of attempts.
    private static let shortestPause = Duration.milliseconds(50)

    let address: ServerAddress
    let options: ApusClient.Options
    let environment: Environment
    /// One for all connections, so that they share the calls of a token provider.
    let credential: Credential
    let spare = Spare()

    init(address: ServerAddress, options: ApusClient.Options, environment: Environment) {
        self.address = address
        self.options = options
        self.environment = environment
        credential = options.credential
    }

    /// Connects once.
    func connect() async throws(ClientError) -> WebSocketConnection {
        var configuration = options.connection
        configuration.apiKey = options.apiKey
        configuration.token = try await credential.currentToken()
        configuration.idleTimeout = options.idleTimeout > .zero ? TimeAmount(options.idleTimeout) : nil
        return try await WebSocketConnection.connect(to: address, configuration: configuration)
    }

    /// Serves one connection after the other until the task is cancelled or reconnecting is useless. Returns the
    /// reason.
    ///
    /// `serve` gets each connection, closes it, and returns how it ended. `onLoss` is called for each end and each
    /// failed attempt, before the wait for the next attempt.
    func run(
        onLoss: @Sendable (ConnectionEnd) -> Void = { _ in },
        _ serve: @Sendable (WebSocketConnection) async -> ConnectionEnd
    ) async -> ClientError {
        var backoff = Backoff(options.reconnect)
        while true {
            let disconnect = await serveOnce(serve)
            onLoss(disconnect)
            if Task.isCancelled { return ClientError(.cancelled, "cancelled") }
            if !disconnect.isWanted { return .clientClosed }
            guard let delay = backoff.delay(after: disconnect, random: environment.random) else {
                options.onConnectionChange?(.failed(disconnect.error))
                return disconnect.error
            }
            options.onConnectionChange?(.disconnected(disconnect.error, retryingAfter: delay))
            options.logger.debug(
                "connection lost",
                metadata: ["error": "\(disconnect.error)", "retry.after": "\(delay)"]
            )
            // A cancelled sleep returns at once, and then the loop ends.
            try? await environment.sleep(delay)
            if Task.isCancelled { return ClientError(.cancelled, "cancelled") }
        }
    }

    /// Waits, for `least` and at most for `limit`, before the n-th attempt in a row on an existing connection. Returns
    /// `false` if the task was cancelled.
    func pause(attempt: Int, atLeast least: Duration = .zero, atMost limit: Duration? = nil) async -> Bool {
        let pause = max(environment.random(options.reconnect.ceiling(attempt: attempt)), least)
        try? await environment.sleep(max(Self.shortestPause, min(pause, limit ?? pause)))
        return !Task.isCancelled
    }

    private func serveOnce(_ serve: @Sendable (WebSocketConnection) async -> ConnectionEnd) async -> ConnectionEnd {
        let connection: WebSocketConnection
        do {
            if let spare = spare.take() {
                connection = spare
            } else {
                connection = try await connect()
            }
        } catch {
            return classified(ConnectionEnd(error: error))
        }
        options.onConnectionChange?(.connected)
        options.logger.debug("connected", metadata: ["server.address": "\(address.authority)"])
        let start = ContinuousClock.now
        var disconnect = await serve(connection)
        disconnect.lasted = ContinuousClock.now - start
        return classified(disconnect)
    }

    /// Adds what the credential has to say about the end.
    private func classified(_ end: ConnectionEnd) -> ConnectionEnd {
        var end = end
        end.canRenewToken = credential.canRenew
        if let error = credential.end {
            end.error = error
            end.isForGood = true
        }
        return end
    }

    /// Renews the token of a connection.
    func renewal(of connection: WebSocketConnection) -> TokenRenewal {
        TokenRenewal(of: connection, credential: credential, environment: environment) { [options] error in
            options.logger.warning("token not renewed", metadata: ["error": "\(error)"])
            options.onConnectionChange?(.renewalFailed(error))
        }
    }

    /// Closes a connection with a handshake, or at once if that takes too long. `serve` calls this before it returns,
    /// so that pending writes fail.
    func close(_ connection: WebSocketConnection) async {
        await connection.close(timeout: TimeAmount(options.closeTimeout))
    }
}
