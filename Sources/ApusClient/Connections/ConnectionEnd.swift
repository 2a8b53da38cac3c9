import ApusProtocol

/// Why and how a connection ended, or why it could not be made.
struct ConnectionEnd: Sendable {
    var error: ClientError
    /// When to reconnect, if the server said so.
    var reconnectAfter: Duration?
    /// Whether the server has executed a command on this connection.
    var wasUseful = false
    /// Whether there was a connection at all.
    var wasMade = false
    /// How long the connection lasted.
    var lasted: Duration = .zero
    /// Whether the session needs another connection.
    var isWanted = true
    /// Whether the connection ended because a command was too large for the server, and that command was refused.
    var isForTooBig = false
    /// Whether there may be another token for the next connection.
    var canRenewToken = false
    /// Whether the token provider has said that there are no tokens any more.
    var isForGood = false

    /// What to do next, according to the protocol's table of disconnects.
    enum Reaction: Equatable {
        /// The network or the server caused the end: try again.
        case retry
        /// The client caused the end: try again, but do not reset the backoff on the next success.
        case retryPatiently
        /// The server refused the token: try again with another one, but only a few times.
        case retryWithToken
        /// The same would happen again.
        case giveUp
    }

    var reaction: Reaction {
        if isForGood { return .giveUp }
        if isForTooBig { return .retry }
        if let close = error.close { return reaction(to: close) }
        switch error.code {
        case .unreachable, .timedOut, .closed, .tokenUnavailable, .untrusted:
            return .retry
        case .unauthorized where canRenewToken:
            return .retryWithToken
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

    /// Whether another server may do better: this one cannot be reached, takes nobody now, or goes away.
    var movesOn: Bool {
        guard reaction == .retry || reaction == .retryPatiently else { return false }
        if let close = error.close { return WebSocketClose.ofServersThatGoAway.contains(close.code) }
        return !wasMade && error.code != .tokenUnavailable
    }

    private func reaction(to close: WebSocketClose) -> Reaction {
        switch (close.code, close.reason) {
        // Normal closes, protocol errors, and messages that are too big.
        case (1000, _), (1002, _), (1003, _), (1007, _), (1009, _), (1010, _): .giveUp
        case (1008, Disconnect.slowConsumer.reason), (1008, Disconnect.rateLimited.reason),
            (1008, Disconnect.noPong.reason):
            .retryPatiently
        case (1008, Disconnect.tokenExpired.reason) where canRenewToken: .retryPatiently
        case (1008, Disconnect.unauthorized.reason) where canRenewToken: .retryWithToken
        case (1008, _): .giveUp
        case (1013, _): .retryPatiently
        // 1001 SHUTDOWN, a broken connection (1005, 1006), and everything that the table does not list.
        default: .retry
        }
    }
}

extension WebSocketClose {
    /// SHUTDOWN, and what a proxy says of a server that restarts; OVERLOADED.
    fileprivate static let ofServersThatGoAway: Set<UInt16> = [1001, 1012, 1013]
}

/// Counts attempts and computes the wait before the next one: exponential backoff with full jitter.
///
/// With several servers an attempt is a round: all of them are tried, one right after the other.
struct Backoff {
    /// The servers that were tried since the last wait.
    private struct Round {
        private(set) var tried = 0
        /// When the first of them wants to be asked again, if all have said so.
        private(set) var told: Duration?

        mutating func note(_ wait: Duration?) {
            let isFirst = tried == 0
            tried += 1
            guard let wait, isFirst || told != nil else { return told = nil }
            told = min(told ?? wait, wait)
        }
    }

    /// How many tokens in a row a server may refuse.
    private static let maxRefusals = 5

    private let policy: ApusClient.ReconnectPolicy
    private let servers: Int
    private var round = Round()
    private var attempts = 0
    private var refusals = 0
    private var isPatient = false

    init(_ policy: ApusClient.ReconnectPolicy, servers: Int = 1) {
        self.policy = policy
        self.servers = servers
    }

    /// How long to wait after this disconnect; `nil` to give up.
    ///
    /// - Parameter random: returns a random duration between zero and the given one.
    mutating func delay(after disconnect: ConnectionEnd, random: (Duration) -> Duration) -> Duration? {
        let reaction = disconnect.reaction
        if reaction == .giveUp { return nil }
        if disconnect.wasUseful { refusals = 0 }
        if reaction == .retryWithToken { refusals += 1 }
        if refusals >= Self.maxRefusals { return nil }
        if disconnect.wasUseful, !isPatient || disconnect.lasted >= policy.stableAfter {
            attempts = 0
            isPatient = false
        }
        if reaction != .retry { isPatient = true }
        var told = disconnect.reconnectAfter ?? disconnect.error.problem?.retryAfter.map { .seconds($0) }
        if !disconnect.movesOn || disconnect.wasUseful { round = Round() }
        if disconnect.movesOn {
            round.note(told)
            if !disconnect.wasMade {
                if round.tried < servers { return .zero }
                told = round.told
            }
            if round.tried >= servers { round = Round() }
        }
        attempts += 1
        if let maxAttempts = policy.maxAttempts, attempts > maxAttempts { return nil }
        return told ?? random(policy.ceiling(attempt: attempts))
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
