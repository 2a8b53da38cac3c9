import ApusProtocol

/// The rate limits of one WebSocket connection. There is none where no limit is set.
///
/// Used only on the connection's loop. Commands are charged when they are read. A command that has to wait, and those
/// read with it, come again later; they are ``prepaid``.
final class ConnectionLimiter {
    private(set) var limits: RateLimits
    /// Shared with the other connections and requests of this client; `nil` where no limit on publishes is set.
    private var budget: PublishBudget?
    private var commands = TokenBucket()
    private var tally = RefusalTally()
    /// How many of the next commands were charged when they came first.
    private var prepaid = 0
    /// Whether the current command was charged when it came first.
    private(set) var isPrepaid = false

    init(_ limits: RateLimits) {
        self.limits = limits
    }

    /// Changes the limits, or whose budget it is. What was used up before still counts.
    func change(to limits: RateLimits, budget: PublishBudget?) {
        self.limits = limits
        self.budget = budget
    }

    /// Charges nothing for the next `count` commands, because they were charged already.
    func prepay(_ count: Int) {
        prepaid += count
    }

    /// Begins a command.
    ///
    /// - Returns: whether it was charged when it came first.
    func beginPrepaid() -> Bool {
        isPrepaid = prepaid > 0
        if isPrepaid { prepaid -= 1 }
        return isPrepaid
    }

    /// Charges a command.
    func takeCommand(now: Int64) -> RateLimits.Refusal? {
        if let limit = limits.command, let wait = commands.takeIfThere(1, limit, now: now) {
            return RateLimits.Refusal(limit: .command, wait: wait)
        }
        tally.noteDone(now: now)
        return nil
    }

    /// Gives back the charge of a command that is not done yet.
    func giveBackCommand() {
        if limits.command != nil { commands.giveBack(1) }
        tally.takeBack()
    }

    /// Charges the messages of a publish: all of them, or none.
    func takePublish(messages: Int, bytes: Int, now: Int64) -> RateLimits.Refusal? {
        budget?.take(messages: messages, bytes: bytes, limits, now: now)
    }

    /// Gives back the charge of messages that were not published.
    func giveBackPublish(messages: Int, bytes: Int) {
        budget?.giveBack(messages: messages, bytes: bytes)
    }

    /// Counts a refused command.
    ///
    /// - Returns: whether the client sends so much in spite of it that its connection is closed.
    func noteRefused(_ refusal: RateLimits.Refusal, now: Int64) -> Bool {
        // Its command was counted as done before its messages were.
        if refusal.limit != .command { tally.takeBack() }
        return tally.noteRefused(now: now, worth: limits.worthOfTenSeconds)
    }
}
