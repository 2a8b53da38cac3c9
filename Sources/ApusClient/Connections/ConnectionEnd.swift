import ApusProtocol

/// Why and how a connection ended, or why it could not be made.
struct ConnectionEnd: Sendable {
    var error: ClientError
    /// The server's word on when to come back.
    var reconnectAfter: Duration?
    /// Whether a command was carried out on it.
    var wasUseful = false
    /// How long it was there.
    var lasted: Duration = .zero
    /// Whether its session needs another one.
    var isWanted = true
    /// Whether it ended for a command that was larger than the server takes, and that was refused for it.
    var isForTooBig = false

    /// What to do about it, by the protocol's table of disconnects.
    enum Reaction: Equatable {
        /// The network's fault, or the server's: try again.
        case retry
        /// Ours: try again, but do not take the next success for the end of the trouble.
        case retryPatiently
        /// It would only happen again.
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
        // Normal closes, protocol errors, too big a message.
        case (1000, _), (1002, _), (1003, _), (1007, _), (1009, _), (1010, _): .giveUp
        case (1008, Disconnect.slowConsumer.reason), (1008, Disconnect.rateLimited.reason),
            (1008, Disconnect.noPong.reason):
            .retryPatiently
        case (1008, _): .giveUp
        case (1013, _): .retryPatiently
        // 1001 SHUTDOWN, a connection that broke (1005, 1006), and what the table does not name.
        default: .retry
        }
    }
}

/// Counts attempts and says how long to wait before the next: exponential backoff with full jitter.
struct Backoff {
    private let policy: ApusClient.ReconnectPolicy
    private var attempts = 0
    private var isPatient = false

    init(_ policy: ApusClient.ReconnectPolicy) {
        self.policy = policy
    }

    /// How long to wait after this disconnect; nil to give up.
    ///
    /// - Parameter random: gives a span between zero and the one it is given.
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
