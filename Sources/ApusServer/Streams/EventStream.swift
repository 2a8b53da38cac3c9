import ApusBroker
import ApusProtocol
import NIOCore

/// A client of an event stream: a subscriber like any other, whose frames are taken by the task that writes the response.
///
/// ```
/// hub ──deliver──► pending ──next()──► task ──► response body
///                  └─ unwritable at `highWater` bytes ─┘
/// ```
/// Lives on its worker's loop. Holds ``highWater`` bytes and a slice at the most, besides what the task is writing.
final class EventStream: StreamingSubscriber {
    static let highWater = 64 * 1024
    /// How long it may be silent before a comment shows that it is alive, in milliseconds.
    static let heartbeat: Int64 = 15_000
    /// What a client is told to wait before it comes back, in milliseconds.
    static let retry = 2000

    let dialect: Dialect
    let framing: EventEncoding.Framing
    let peer: SubscriberPeer
    /// It publishes nothing.
    let origin: UInt32 = 0
    var subscriptions = SubscriptionSet()
    var workerIndex = 0

    private let worker: Worker
    private var pending = ByteBuffer()
    private var taker: EventLoopPromise<ByteBuffer?>?
    private var wasUnwritable = false
    private var isFinished = false
    private var isOver = false
    private var lastSign: Int64
    /// Since when something is pending that the task has not taken.
    private var stuckSince: Int64?
    private let close: () -> Void
    private var endReason = EndReason.disconnected

    /// - Parameter close: cuts the connection.
    init(
        worker: Worker,
        dialect: Dialect,
        framing: EventEncoding.Framing,
        peer: SubscriberPeer,
        close: @escaping () -> Void
    ) {
        self.worker = worker
        self.dialect = dialect
        self.framing = framing
        self.peer = peer
        self.close = close
        lastSign = worker.monotonicNow()
    }

    // MARK: The task's side

    /// The next bytes of the response; `nil` at its end.
    func next() -> EventLoopFuture<ByteBuffer?> {
        let promise = worker.eventLoop.makePromise(of: ByteBuffer?.self)
        if pending.readableBytes > 0 {
            promise.succeed(take())
            if wasUnwritable {
                wasUnwritable = false
                worker.hub.resume(self)
            }
            if worker.isDraining { drain() }
        } else if isFinished || isOver {
            promise.succeed(nil)
        } else {
            taker = promise
        }
        return promise.futureResult
    }

    private func take() -> ByteBuffer {
        defer { pending = ByteBuffer() }
        stuckSince = nil
        lastSign = worker.monotonicNow()
        worker.counters.sentBytes += UInt64(pending.readableBytes)
        return pending
    }

    private func giveToTaker() {
        guard pending.readableBytes > 0, let taker = taker.take() else { return }
        taker.succeed(take())
    }

    func end() {
        guard !isOver else { return }
        isOver = true
        worker.remove(self)
        worker.hub.removeAll(of: self, reason: endReason)
        taker.take()?.succeed(nil)
    }

    // MARK: Subscriber

    var isWritable: Bool {
        let isWritable = !isFinished && pending.readableBytes < Self.highWater
        if !isWritable { wasUnwritable = true }
        return isWritable
    }

    func deliver(_ frames: ByteBuffer) {
        if pending.readableBytes == 0 { worker.hub.flushLater(self) }
        pending.writeImmutableBuffer(frames)
    }

    func flush() {
        giveToTaker()
    }

    func notify(_ notice: SubscriberNotice) {
        worker.beginBurst()
        switch notice {
        case .messagesDropped(let topic, let count, let range):
            inform(.messagesDropped(topicJSON: topic.template.topicJSON, count: count, range: range))
        case .topicDeleted(let topic, _):
            inform(.topicDeleted(topicJSON: topic.template.topicJSON))
            if subscriptions.isEmpty { finish(.topicDeleted) }
        case .slowConsumer(let topic):
            worker.counters.errors[.slowConsumer, default: 0] += 1
            let text = jsonString("Topic '\(topic.name)': too far behind")
            write(#"{"type":"error","error":{"code":"SLOW_CONSUMER","message":\#(text)}"#)
            finish(.slowConsumer)
        case .slowConsumerWarning(let topic, let lag, let queue):
            inform(.slowConsumerWarning(topicJSON: topic.template.topicJSON, lag: lag, queue: queue))
        case .presence(let topic, let hasJoined, let clientID):
            inform(.presence(topicJSON: topic.template.topicJSON, hasJoined: hasJoined, clientID: clientID))
        case .presenceDropped(let topic, let count):
            inform(.presenceDropped(topicJSON: topic.template.topicJSON, count: count))
        case .overloaded:
            finish(EndReason(Disconnect.overloaded.reason))
        }
    }

    /// What a stream starts with: when to come back, and from where.
    func open(at receipt: SubscribeReceipt?, recovery: String) {
        var head = "retry: \(Self.retry)\n"
        if let receipt { head += "id: \(receipt.epoch):\(receipt.offset)\n" }
        pending.writeString(head + "\n")
        if !recovery.isEmpty { write(recovery) }
        giveToTaker()
    }

    private func inform(_ info: InfoMessage) {
        write(#"{"type":"info""# + info.members)
    }

    /// Writes an `info` event; `json` lacks its time and closing bracket.
    private func write(_ json: String) {
        if pending.readableBytes == 0 { worker.hub.flushLater(self) }
        pending.writeString("event: info\ndata: \(json)\(dialect.timeKey)\(worker.now)\"}\n\n")
    }

    /// Ends the response once what is pending has gone out.
    private func finish(_ reason: EndReason) {
        guard !isFinished else { return }
        endReason = reason
        isFinished = true
        worker.hub.removeAll(of: self, reason: reason)
        worker.hub.flushLater(self)
        giveToTaker()
        taker.take()?.succeed(nil)
    }

    // MARK: Worker

    func tick(now: Int64) {
        if pending.readableBytes > 0 || isFinished {
            let since = stuckSince ?? now
            stuckSince = since
            // Who takes nothing is let go as a WebSocket that answers no ping; who was told to go, as one that does not.
            let settings = worker.settings
            let patience =
                isFinished
                ? settings.closeTimeout
                : settings.pingInterval > 0 && settings.pongTimeout > 0
                    ? settings.pingInterval + settings.pongTimeout : .max
            if now - since >= patience { close() }
            return
        }
        guard now - lastSign >= Self.heartbeat, !isFinished else { return }
        pending.writeStaticString(":\n\n")
        giveToTaker()
    }

    func drain() {
        guard !isFinished, worker.hub.isCaughtUp(self) else { return }
        worker.beginBurst()
        let delay = worker.reconnectDelay()
        inform(.shutdown(reconnectAfter: delay))
        pending.writeString("retry: \(delay)\n\n")
        finish(EndReason(Disconnect.shutdown.reason))
    }
}
