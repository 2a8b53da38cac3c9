import ApusAccess
import ApusBroker
import ApusProtocol
import Logging
import NIOCore

/// The commands, replies and pushes of the contract on one connection. Used only on the connection's loop.
final class PubSubSession: WebSocketSession, Subscriber, WaitingPublisher, CommitWaiter {
    let dialect: Dialect
    let framing: EventEncoding.Framing
    var subscriptions = SubscriptionSet()
    let connection: WebSocketConnection
    let context: LoopContext
    /// When a client that has not sent its credential is disconnected; `nil` once it has.
    var authDeadline: Int64?
    /// What the client may do; `nil` if the server is open to everybody, or the client has not been admitted.
    var access: SessionAccess? {
        didSet { publishable = AllowedTopics(all: access?.client.rights.isUnlimited ?? true) }
    }
    @exclusivity(unchecked) var publishable = AllowedTopics(all: true)
    var verification = Verification.none
    /// The number of the policy that the client was compared with last; 0 if it was admitted since, by whichever policy
    /// was in force then.
    var policyNumber: UInt64 = 0
    /// `nil` where no limit is set.
    @exclusivity(unchecked) var limiter: ConnectionLimiter?
    private(set) var isEnded = false
    private var nextHeartbeat: Int64
    /// The topic that makes this connection's publisher wait.
    var throttledBy: Topic?
    /// Whether the client has used anything beyond the plain contract. Only then does it get the extended messages.
    var isExtended = false
    /// How many publishes are staged at most; 1 means none.
    ///
    /// It doubles with each commit that the topic takes at once, and falls to 1 with the first that it does not. Where
    /// publishers often have to wait, few messages are then read that must be read again.
    @exclusivity(unchecked) var stageLimit = 1
    /// What is being found out for a command; `nil` while none has asked for something that is not known here.
    @exclusivity(unchecked) var finding: Finding?
    /// Why the subscriptions end with the connection, if the server ends it.
    var endReason = EndReason.disconnected

    init(connection: WebSocketConnection, dialect: Dialect, identity: Handshake.Identity) {
        self.connection = connection
        self.dialect = dialect
        self.framing = EventEncoding.Framing(connection.window)
        self.context = connection.context
        let now = context.monotonicNow()
        let timeouts = context.settings.timeouts
        nextHeartbeat = timeouts.heartbeat > .zero ? now + timeouts.heartbeat.wholeMilliseconds : .max
        start(identity)
    }

    var encoder: MessageEncoder { MessageEncoder(dialect: dialect) }

    /// Identifies this connection as the publisher of a message. Only compared with open connections.
    var origin: UInt32 { UInt32(truncatingIfNeeded: connection.id) }

    var peer: SubscriberPeer {
        SubscriberPeer(connection: connection.id, address: "\(connection.caller.address)", transport: "websocket")
    }

    // MARK: Commands

    func received(_ message: UnsafeRawBufferPointer, isText: Bool, mayStage: Bool) -> UnsafeRawBufferPointer? {
        if case .running = verification { return message }
        // Text was checked for valid UTF-8 when it arrived.
        do throws(CommandError) {
            let command = try context.scanner.scan(message, dialect: dialect, knownValidUTF8: isText)
            let isPlain = command.kind == .publish && !command.hasExtensions && !command.topic.hasEscapes
            if mayStage, isPlain, stageLimit > 1, authDeadline == nil, context.takesPublishes {
                let name = UnsafeRawBufferPointer(rebasing: message[command.topic.range])
                // To the topic of what is staged, the client may publish: that was decided when it was staged.
                let isNext = context.staged.isTo(name)
                if isNext || mayPublish(command, in: message),
                    limiter == nil || chargeToStage(command, isNext: isNext)
                {
                    return stage(command, to: name, isNext: isNext, in: message)
                }
            }
            if let first = commit() { return first }
            let requestID = command.requestID.map { UnsafeRawBufferPointer(rebasing: message[$0]) }
            guard perform(command, in: message, requestID: requestID) else { return message }
            context.counters.count(command.kind)
            return nil
        } catch {
            if let first = commit() { return first }
            let requestID = error.requestID.map { UnsafeRawBufferPointer(rebasing: message[$0]) }
            guard authDeadline == nil else {
                refuse(.anonymous, requestID: requestID)
                return nil
            }
            guard limiter == nil || charge(nil, in: message, requestID: requestID) else { return nil }
            reply(.badRequest, error.message, requestID: requestID)
            return nil
        }
    }

    /// Executes a command, or refuses it.
    ///
    /// - Returns: whether it is done. One that has to wait comes again.
    private func perform(
        _ command: Command,
        in message: UnsafeRawBufferPointer,
        requestID: UnsafeRawBufferPointer?
    ) -> Bool {
        guard authDeadline == nil else {
            if command.kind == .auth { return authenticate(command, in: message, requestID: requestID) }
            refuse(.anonymous, requestID: requestID)
            return true
        }
        if connection.held != nil, command.kind != .publish, command.kind != .ping {
            // Its reply waits behind the others, but what it does would not.
            connection.pauses.insert(.untilKept)
            return false
        }
        let isCostly = command.kind != .publish && command.kind != .ping
        if isCostly, context.roundBudget.isSpent, !context.isDraining {
            connection.waitForRound()
            return false
        }
        guard limiter == nil || charge(command, in: message, requestID: requestID) else { return true }
        if isCostly { context.roundBudget.spend(RoundBudget.commandCost) }
        if execute(command, in: message, requestID: requestID) {
            if finding != nil { finding = nil }
            return true
        }
        limiter?.prepay(1)
        return false
    }

    private func execute(
        _ command: Command,
        in message: UnsafeRawBufferPointer,
        requestID: UnsafeRawBufferPointer?
    ) -> Bool {
        guard !context.isDraining else {
            reply(.unavailable, "The server is shutting down", requestID: requestID)
            return true
        }
        if context.isFull, command.kind == .publish || command.kind == .subscribe {
            reply(.unavailable, Problem.memoryIsFull.detail, requestID: requestID)
            return true
        }
        if command.kind == .publish {
            guard mayPublish(command, in: message) else {
                reply(.forbidden, Forbidden(.publish).message, requestID: requestID)
                return true
            }
            return command.hasExtensions
                ? publishExtended(command, in: message, requestID: requestID)
                : publish(command, in: message, requestID: requestID)
        }
        switch command.kind {
        case .publish:
            break
        case .subscribe:
            return subscribe(command, in: message, requestID: requestID)
        case .unsubscribe:
            return unsubscribe(command, in: message, requestID: requestID)
        case .ping:
            encoder.pong(requestID: requestID, time: context.now, to: &context.replies)
        case .auth:
            return authenticate(command, in: message, requestID: requestID)
        }
        return true
    }

    /// Passes the bytes of a name to `body`: straight from the message, or decoded if the name has escapes.
    func withName<Result>(
        _ name: JSONStringSpan,
        in message: UnsafeRawBufferPointer,
        _ body: (UnsafeRawBufferPointer) -> Result
    ) -> Result {
        guard name.hasEscapes else { return body(UnsafeRawBufferPointer(rebasing: message[name.range])) }
        var decoded = text(name, in: message)
        return decoded.withUTF8 { body(UnsafeRawBufferPointer($0)) }
    }

    /// The decoded text. The scanner has checked that it can be decoded.
    func text(_ text: JSONStringSpan, in message: UnsafeRawBufferPointer) -> String {
        text.string(in: message) ?? ""
    }

    // MARK: Replies

    func acknowledge(_ topicJSON: [UInt8]?, requestID: UnsafeRawBufferPointer?) {
        encoder.ack(requestID: requestID, topicJSON: topicJSON, time: context.now, to: &context.replies)
    }

    /// - Parameter retryAfter: in milliseconds.
    func reply(
        _ code: ErrorCode,
        _ message: String,
        retryAfter: Int64? = nil,
        requestID: UnsafeRawBufferPointer?
    ) {
        context.counters.errors[code, default: 0] += 1
        encoder.error(
            code,
            message,
            retryAfter: retryAfter,
            requestID: requestID,
            time: context.now,
            to: &context.replies
        )
    }

    func refuse(_ error: CommandError, in message: UnsafeRawBufferPointer) {
        let requestID = error.requestID.map { UnsafeRawBufferPointer(rebasing: message[$0]) }
        reply(.badRequest, error.message, requestID: requestID)
    }

    // MARK: Connection events

    func becameWritable() {
        context.hub.resume(self)
        if context.mayClose { connection.closeIfDrained() }
    }

    /// Whether nothing is left to deliver.
    var isDrained: Bool { connection.held == nil && context.hub.isCaughtUp(self) }

    func publishAgain() {
        throttledBy = nil
        connection.continueReading()
    }

    func tick(now: Int64) {
        if let authDeadline, now >= authDeadline {
            return refuse(.anonymous, requestID: nil)
        }
        checkAccess()
        guard now >= nextHeartbeat else { return }
        nextHeartbeat = now + context.settings.timeouts.heartbeat.wholeMilliseconds
        // A client that is not admitted gets no heartbeat, and a client that reads nothing does not need one.
        guard authDeadline == nil, isWritable else { return }
        inform(.heartbeat)
        connection.flush()
    }

    func willDisconnect(_ reason: Disconnect) {
        endReason = EndReason(reason.reason)
        guard reason == .shutdown, isExtended else { return }
        inform(.shutdown(reconnectAfter: context.reconnectDelay()))
    }

    func ended() {
        isEnded = true
        context.hub.removeAll(of: self, reason: endReason)
        endSpan()
        if let throttledBy = throttledBy.take() { context.hub.stopWaiting(self, for: throttledBy) }
    }
}

extension BrokerError {
    /// The error code on the wire.
    var wireCode: ErrorCode {
        switch code {
        case .topicExists: .topicExists
        case .topicNotFound: .topicNotFound
        case .tooManyTopics, .notKept: .unavailable
        case .rateLimited: .rateLimited
        default: .badRequest
        }
    }
}
