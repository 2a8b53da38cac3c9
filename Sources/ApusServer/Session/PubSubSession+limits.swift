import ApusBroker
import ApusProtocol
import Logging

// Rate limits. Without any, a session has no limiter, and nothing here is called for its commands.

extension PubSubSession {
    /// Follows the loop's limits, and whose budget the client uses.
    func ratesChanged() {
        let rates = context.rates
        guard !rates.isOff else { return limiter = nil }
        let limiter = limiter ?? ConnectionLimiter(rates)
        let owner = PublishBudgets.Owner(access?.client.principal, connection.caller)
        limiter.change(to: rates, budget: rates.limitsPublishes ? context.budgets.budget(of: owner) : nil)
        self.limiter = limiter
    }

    private var steadyNow: Int64 { context.now.steady }

    /// Charges a command before it is executed, and a plain publish for its message. Refuses it if a limit is reached.
    ///
    /// - Parameter command: `nil` for what is no valid command, which counts as one all the same.
    /// - Returns: whether to execute the command.
    func charge(
        _ command: Command?,
        in message: UnsafeRawBufferPointer,
        requestID: UnsafeRawBufferPointer?
    ) -> Bool {
        guard let limiter, !context.isDraining, !limiter.beginPrepaid() else { return true }
        var refusal = limiter.takeCommand(now: steadyNow)
        // What is not allowed is refused later, and uses nothing up. An extended publish is charged when it is read.
        if refusal == nil, let command, command.kind == .publish, !command.hasExtensions, !context.isFull,
            mayPublish(command, in: message)
        {
            refusal = limiter.takePublish(messages: 1, bytes: command.message.count, now: steadyNow)
        }
        guard let refusal else { return true }
        refuse(refusal, requestID: requestID)
        return false
    }

    /// Charges a plain publish that is to be staged.
    ///
    /// - Returns: `false` if it cannot be staged. It is not charged then.
    func chargeToStage(_ command: Command, isNext: Bool) -> Bool {
        // With another topic, what is staged is committed first. It may have to wait, and this command with it.
        guard let limiter, isNext || context.staged.isEmpty else { return false }
        guard !limiter.beginPrepaid() else { return true }
        guard limiter.takeCommand(now: steadyNow) == nil else { return false }
        guard limiter.takePublish(messages: 1, bytes: command.message.count, now: steadyNow) == nil else {
            limiter.giveBackCommand()
            return false
        }
        return true
    }

    /// Charges the messages of an extended publish, and refuses it if a limit is reached.
    func charge(_ extensions: PublishExtensions, of command: Command, requestID: UnsafeRawBufferPointer?) -> Bool {
        guard let limiter, !limiter.isPrepaid else { return true }
        let (messages, bytes) = Self.size(of: extensions, in: command)
        guard let refusal = limiter.takePublish(messages: messages, bytes: bytes, now: steadyNow) else { return true }
        refuse(refusal, requestID: requestID)
        return false
    }

    /// Takes back what an extended publish was charged, because nothing was published.
    func giveBack(_ extensions: PublishExtensions, of command: Command) {
        guard let limiter else { return }
        let (messages, bytes) = Self.size(of: extensions, in: command)
        limiter.giveBackPublish(messages: messages, bytes: bytes)
    }

    private static func size(of extensions: PublishExtensions, in command: Command) -> (messages: Int, bytes: Int) {
        guard let messages = extensions.messages else { return (1, command.message.count) }
        return (messages.count, messages.reduce(0) { $0 + $1.range.count })
    }

    private func refuse(_ refusal: RateLimits.Refusal, requestID: UnsafeRawBufferPointer?) {
        context.counters.limited[refusal.limit, default: 0] += 1
        reply(.rateLimited, refusal.message, retryAfter: refusal.wait, requestID: requestID)
        guard let limiter, limiter.noteRefused(refusal, now: steadyNow) else { return }
        context.logger.info(
            "client cut: it does not heed the rate limit",
            metadata: ["connection.id": "\(connection.id)", "limit": "\(refusal.limit.rawValue)"]
        )
        disconnect(.rateLimited)
    }
}
