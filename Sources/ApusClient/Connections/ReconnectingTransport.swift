import Logging
import NIOCore
import Synchronization

/// Keeps one connection to a server: connects, hands the connection to its session, and reconnects when it is lost.
struct ReconnectingTransport: Sendable {
    /// Sleep and randomness, which tests replace.
    struct Environment: Sendable {
        var sleep: @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
        var random: @Sendable (Duration) -> Duration = { $0 * Double.random(in: 0...1) }
        var now: @Sendable () -> ContinuousClock.Instant = { .now }
    }

    /// A connection, and to whom it is.
    struct Made: Sendable {
        let connection: WebSocketConnection
        let server: ServerAddress
    }

    /// A connection that was made before a session needed one. The first session that needs one takes it.
    final class Spare: Sendable {
        private let connection = Mutex<Made?>(nil)

        func put(_ connection: Made) {
            self.connection.withLock { $0 = connection }
        }

        func take() -> Made? {
            connection.withLock { connection in
                defer { connection = nil }
                return connection
            }
        }
    }

    /// The shortest pause, so that small random values do not cause a burst of attempts.
    private static let shortestPause = Duration.milliseconds(50)

    /// One for all connections.
    let servers: ServerList
    let options: ApusClient.Options
    let environment: Environment
    /// One for all connections, so that they share the calls of a token provider.
    let credential: Credential
    let spare = Spare()

    init(servers: [ServerAddress], options: ApusClient.Options, environment: Environment) {
        self.servers = ServerList(servers)
        self.options = options
        self.environment = environment
        credential = options.credential
    }

    /// Connects to the first server that can be reached. Throws the error of the last one if none can.
    func connectToAny() async throws(ClientError) -> Made {
        for _ in 1..<servers.all.count {
            do {
                return try await connect()
            } catch {
                guard ConnectionEnd(error: error).movesOn else { throw error }
            }
        }
        return try await connect()
    }

    /// Connects once. If that fails, the next attempt may be for another server.
    private func connect() async throws(ClientError) -> Made {
        let server = servers.current
        do {
            return Made(connection: try await connect(to: server), server: server)
        } catch {
            if ConnectionEnd(error: error).movesOn { servers.moveOn(from: server) }
            throw error
        }
    }

    private func connect(to server: ServerAddress) async throws(ClientError) -> WebSocketConnection {
        var configuration = options.connection
        configuration.apiKey = options.apiKey
        configuration.token = try await credential.currentToken()
        configuration.idleTimeout = options.idleTimeout > .zero ? TimeAmount(options.idleTimeout) : nil
        return try await WebSocketConnection.connect(to: server, configuration: configuration)
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
        var backoff = Backoff(options.reconnect, servers: servers.all.count)
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
        let made: Made
        do {
            if let spare = spare.take() {
                made = spare
            } else {
                made = try await connect()
            }
        } catch {
            return classified(ConnectionEnd(error: error))
        }
        options.onConnectionChange?(.connected)
        options.logger.debug("connected", metadata: ["server.address": "\(made.server.authority)"])
        let start = ContinuousClock.now
        var disconnect = await serve(made.connection)
        disconnect.wasMade = true
        disconnect.lasted = ContinuousClock.now - start
        disconnect = classified(disconnect)
        if disconnect.movesOn { servers.moveOn(from: made.server) }
        return disconnect
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
