import ApusBroker
import ApusProtocol
import NIOCore

/// A publish over HTTP. It waits where a WebSocket's publisher would wait. Used only on its event loop.
final class HTTPPublisher: WaitingPublisher, CommitWaiter {
    /// One message. Its bytes are copied out of the request.
    struct Message: Sendable {
        var json: ByteBuffer
        var id: String
        /// The key as a quoted JSON string.
        var keyJSON: [UInt8]?
        var ttl: Int64?
        var trace: TraceContext?
    }

    /// Where the messages were stored, and when.
    struct Published: Sendable {
        var receipt: PublishReceipt
        var epoch: String
        var time: Timestamp
    }

    private let topicName: String
    private let messages: [Message]
    /// Where the publish is charged.
    private let budget: PublishBudget?
    private let context: LoopContext
    private let promise: EventLoopPromise<Published>
    /// What the publisher waits for: a slow subscriber of the topic, or only a loop that is behind.
    private var waits: (topic: Topic, isThrottled: Bool)?
    private var isAbandoned = false
    /// Whether it is being found out whether the topic is there, and whether that was done.
    private var (isFinding, hasFound) = (false, false)
    /// What is published once it is kept.
    private var published: Published?

    /// - Parameter budget: the client's; `nil` where no limit is set.
    init(
        _ messages: [Message],
        to topicName: String,
        budget: PublishBudget?,
        on context: LoopContext,
        promise: EventLoopPromise<Published>
    ) {
        self.messages = messages
        self.budget = budget
        self.topicName = topicName
        self.context = context
        self.promise = promise
    }

    /// Whether the publisher has to wait.
    var isWaiting: Bool { waits != nil || published != nil || isFinding }

    private var bytes: Int { messages.reduce(0) { $0 + $1.json.readableBytes } }

    /// Publishes, unless a limit is reached.
    func start() {
        context.beginBurst()
        let now = context.now.steady
        if let refusal = budget?.take(messages: messages.count, bytes: bytes, context.rates, now: now) {
            context.counters.limited[refusal.limit, default: 0] += 1
            return promise.fail(refusal.problem)
        }
        publishAgain()
    }

    func publishAgain() {
        waits = nil
        context.beginBurst()
        guard !context.isDraining else { return fail(.unavailable("The server is shutting down")) }
        guard !context.isFull else { return fail(.memoryIsFull) }
        let time = context.now
        do throws(BrokerError) {
            guard let (topic, outcome) = try publishOrMakeTopic(time) else { return }
            switch outcome {
            case .throttled, .held:
                waits = (topic, outcome == .throttled)
                context.hub.wait(self, for: topic, outcome)
                if isAbandoned { giveUp() }
            case .published(let receipt):
                promise.succeed(Published(receipt: receipt, epoch: topic.epoch, time: time))
            case .uncommitted(let receipt):
                published = Published(receipt: receipt, epoch: topic.epoch, time: time)
                context.hub.wait(self, for: context.hub.newestCommit)
            case .rateLimited(let wait):
                fail(Problem(.rateLimited(topic: topicName, wait: wait)))
            case .deleted, .needsPublication:
                fail(Problem(.internal, "A publish came to nothing"))
            }
        } catch {
            fail(Problem(error))
        }
    }

    func settled(_ commit: Commit, _ outcome: Commit.Outcome) {
        guard var published = published.take() else { return }
        if let relocation = commit.relocation { published.receipt = relocation.settled(published.receipt) }
        switch outcome {
        case .kept: promise.succeed(published)
        case .failed(let failure): fail(Problem(failure))
        }
    }

    /// Refuses the publish, which is then not charged.
    private func fail(_ problem: Problem) {
        budget?.giveBack(messages: messages.count, bytes: bytes)
        promise.fail(problem)
    }

    /// - Returns: `nil` if it is being found out first whether the topic is there.
    private func publishOrMakeTopic(_ time: Timestamp) throws(BrokerError) -> (Topic, PublishOutcome)? {
        while true {
            let result = publish(time)
            if let topic = result.topic { return (topic, result.outcome) }
            if context.broker.isShared, !hasFound {
                find()
                return nil
            }
            try context.makeTopicToPublish(named: topicName)
        }
    }

    private func find() {
        (isFinding, hasFound) = (true, true)
        context.findOrCreate(topicName, isCreated: context.makesTopicToPublish(named: topicName)) { failure in
            self.isFinding = false
            if let failure { self.fail(Problem(failure)) } else { self.publishAgain() }
        }
    }

    private func publish(_ time: Timestamp) -> PublishResult {
        // One buffer for all messages, so that none of them moves while it is read.
        var all = ByteBuffer()
        var ranges: [Range<Int>] = []
        for message in messages {
            let start = all.readableBytes
            all.writeImmutableBuffer(message.json)
            ranges.append(start..<all.readableBytes)
        }
        return all.withUnsafeReadableBytes { bytes in
            let publications = zip(messages, ranges).map { message, range in
                Publication(
                    message: UnsafeRawBufferPointer(rebasing: bytes[range]),
                    id: message.id,
                    keyJSON: message.keyJSON,
                    ttl: message.ttl,
                    trace: message.trace
                )
            }
            var name = topicName
            return name.withUTF8 { name in
                context.hub.publish(
                    publications,
                    toTopicNamed: UnsafeRawBufferPointer(name),
                    time: time,
                    // No connection has this number, so no connection takes the message for its own.
                    origin: 0
                )
            }
        }
    }

    /// The client has left. A publish that waits for a slow subscriber is dropped. A publish that waits for a loop that
    /// is behind takes only a moment, so it continues.
    func abandon() {
        isAbandoned = true
        giveUp()
    }

    private func giveUp() {
        guard let (topic, isThrottled) = waits, isThrottled else { return }
        waits = nil
        context.hub.stopWaiting(self, for: topic)
        fail(.unavailable("The publish had to wait for a slow subscriber, and the client closed its side"))
    }
}
