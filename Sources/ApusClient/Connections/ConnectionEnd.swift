import ApusProtocol

/// Why and how a connection ended, or why it could not be made.
struct ConnectionEnd: Sendable {
    var error: ClientError
    /// When to reconnect, if the server said so.
    var reconnectAfter: Duration?
    /// Whether the server has executed a command on this connection.
    var wasUseful = false
    /// How long the connection lasted.
    var lasted: Duration = .zero
    /// Whether the session needs another connection.
    var isWanted = true
    /// Whether the connection ended because a command was too large for the server, and that command was refused.
    var isForTooBig = false

    /// What to do next, according to the protocol's table of disconnects.
    enum Reaction: Equatable {
        /// The network or the server caused the end: try again.
        case retry
        /// The client caused the end: try again, but do not reset the backoff on the next success.
        case retryPatiently
        /// The same would happen again.
        case giveUp
    }

    var reaction: Reaction {
        if isForTooBig { return .retry }
        if let close = error.close { return Self.reaction(to: close) }
        switch error.code {
        case .unreachable, .timedOut, .closed:
            return .retry
        case .refused:
            switch error.problem?.status {
            case 429?, 503?: return .retryPatiently
            case let status? where status >= 500: return .retry
            default: return .giveUp
            }
        default:
            return .giveUp
        }
    }

    private static func reaction(to close: WebSocketClose) -> Reaction {
        switch (close.code, close.reason) {
        // Normal closes, protocol errors, and messages that are too big.
        case (1000, _), (1002, _), (1003, _), (1007, _), (1009, _), (1010, _): .giveUp
        case (1008, Disconnect.slowConsumer.reason), (1008, Disconnect.rateLimited.reason),
            (1008, Disconnect.noPong.reason):
            .retryPatiently
        case (1008, _): .giveUp
        case (1013, _): .retryPatiently
        // 1001 SHUTDOWN, a broken connection (1005, 1006), and everything that the table does not list.
        default: .retry
        }
    }
}

/// Counts attempts and computes the wait before the next one: exponential backoff with full jitter.
struct Backoff {
    private let policy: ApusClient.ReconnectPolicy
    private var attempts = 0
    private var isPatient = false

    init(_ policy: ApusClient.ReconnectPolicy) {
        self.policy = policy
    }

    /// How long to wait after this disconnect; `nil` to give up.
    ///
    /// - Parameter random: returns a random duration between zero and the given one.
    mutating func delay(after disconnect: ConnectionEnd, random: (Duration) -> Duration) -> Duration? {
        let reaction = disconnect.reaction
        if reaction == .giveUp { return nil }
        if disconnect.wasUseful, !isPatient || disconnect.lasted >= policy.stableAfter {
            attempts = 0
            isPatient = false
        }
        if reaction == .retryPatiently { isPatient = true }
        attempts += 1
        if let maxAttempts = policy.maxAttempts, attempts > maxAttempts { return nil }
        if let told = disconnect.reconnectAfter ?? disconnect.error.problem?.retryAfter.map({ .seconds($0) }) {
            return told
        }
        return random(policy.ceiling(attempt: attempts))
    }
}

extension ApusClient.ReconnectPolicy {
    /// The longest wait before the n-th attempt in a row.
    func ceiling(attempt: Int) -> Duration {
        var ceiling = initialDelay
        for _ in 1..<max(attempt, 1) where ceiling < maxDelay { ceiling *= 2 }
        return min(ceiling, maxDelay)
    }
}
