import ApusBroker
import ApusProtocol
import ApusSockets
import ApusTLS
import NIOCore

/// The client of an event stream on its socket: a subscriber whose connection carries events only.
///
/// ```
/// made, subscribed ──► start(on: socket) ──► events ──► finish: what is pending goes out, then the end
/// ```
/// Used only on its event loop. It owns its socket once it gets one. The response body has neither a length nor
/// chunks: it ends with the connection (RFC 9112 section 6.3), so frames of the log go out unchanged. The stream
/// buffers at most ``Outbox/highWater`` bytes and one slice.
final class EventStream: StreamingSubscriber, PollTarget {
    /// How long the stream may be silent before a comment shows that it is alive, in milliseconds.
    static let heartbeat: Int64 = 15_000
    /// How long a client should wait before it reconnects, in milliseconds.
    static let retry = 2000

    let dialect: Dialect
    let framing: EventEncoding.Framing
    /// The stream's own: nothing is published with it, so no message counts as the stream's echo.
    var origin: UInt32 { UInt32(truncatingIfNeeded: id) }
    var subscriptions = SubscriptionSet()
    var loopIndex = 0

    var access: ClientAccess
    var policyNumber: UInt64 = 0
    private let id: UInt64
    let context: LoopContext
    private let poller: Poller
    private var transport: Transport?
    private(set) var caller: Caller
    private var registration: Poller.ID?
    private var outbox = Outbox(.text)
    private(set) var isFinished = false
    /// Whether the client was told that its credential ends soon.
    var isWarned = false
    private var isOver = false
    private var endReason = EndReason.disconnected
    /// Whether something was written since the last tick.
    private var hasWritten = true
    /// When something was last written, as seen by ticks.
    private var lastSign: Int64
    /// Since when the socket has accepted nothing of the waiting data, or since when it should have closed.
    private var stuckSince: Int64?
    private var taking = PeerProgress()
    private var silence: PeerSilence
    /// When the stream finished, while data is still waiting.
    private var finishedAt: Int64?

    init(
        id: UInt64,
        dialect: Dialect,
        isPositioned: Bool,
        access: ClientAccess,
        caller: Caller,
        context: LoopContext,
        poller: Poller
    ) {
        self.id = id
        self.access = access
        self.caller = caller
        self.dialect = dialect
        framing = isPositioned ? .eventStreamWithID : .eventStream
        self.context = context
        self.poller = poller
        lastSign = context.monotonicNow()
        silence = PeerSilence(now: lastSign)
    }

    var peer: SubscriberPeer {
        SubscriberPeer(connection: id, address: "\(caller.address)", transport: "sse")
    }

    // MARK: Start

    /// Writes the start of the stream: the retry time, the resume position, and other news.
    func open(at position: String?, telling news: [InfoMessage]) {
        var start = "retry: \(Self.retry)\n"
        if let position { start += "id: \(position)\n" }
        writeText(start + "\n")
        for info in news { inform(info) }
    }

    /// Takes over the socket, and sends what is waiting.
    ///
    /// - Parameter registration: the socket's registration with the poller for ``PollEvents/readable``, if it has one.
    func start(on transport: Transport, _ registration: Poller.ID?) {
        guard !isOver else {
            if let registration { poller.remove(registration, of: transport.socket) }
            return release(transport)
        }
        self.transport = transport
        do throws(SocketError) {
            if let registration {
                poller.replace(registration, target: self)
                self.registration = registration
            } else {
                self.registration = try poller.add(transport.socket, for: .readable, target: self)
            }
        } catch {
            return end()
        }
        flush()
        context.hub.resume(self)
        // The socket may have been on its way here when the other streams were told of the shutdown.
        if context.mayClose { drain() }
    }

    // MARK: The socket

    func socketIsReady(_ events: PollEvents) {
        if outbox.isBlocked, !events.isDisjoint(with: [.writable, .broken]) { continueWriting() }
        guard let transport else { return }
        if events.contains(.readable) {
            // Input from the client is ignored; it only matters whether the client has disconnected.
            switch transport.receive(into: context.input) {
            case .failed, .bytes(0): end()
            case .bytes, .wouldBlock: break
            }
        } else if !events.isDisjoint(with: .broken) {
            end()
        }
    }

    private func continueWriting() {
        taking.took(now: context.monotonicNow())
        send()
        guard !isOver, outbox.isDrained else { return }
        if isFinished { return hangUp() }
        context.hub.resume(self)
        if context.mayClose { drain() }
    }

    private func send() {
        guard let transport else { return }
        let wasBlocked = outbox.isBlocked
        switch outbox.flush(to: transport) {
        case .sent: break
        case .drained: if wasBlocked { ask(for: .readable) }
        case .blocked: if !wasBlocked { ask(for: [.readable, .writable]) }
        case .failed: end()
        }
    }

    private func ask(for events: PollEvents) {
        guard let registration, let transport else { return }
        poller.change(registration, of: transport.socket, to: events)
    }

    /// Ends the response. The client then closes the connection, or is disconnected after a while.
    private func hangUp() {
        // At shutdown the stream does not wait for the client. The kernel still sends what it has.
        guard !context.mayClose else { return end() }
        transport?.finishSending()
        stuckSince = context.monotonicNow()
    }

    // MARK: Subscriber

    var pendingBytes: Int { outbox.pendingBytes }

    var isWritable: Bool { transport != nil && !isFinished && outbox.isWritable }

    func deliver(_ frames: ByteBuffer) {
        if !outbox.hasUnflushed { context.hub.flushLater(self) }
        hasWritten = true
        context.counters.sentBytes += UInt64(frames.readableBytes)
        outbox.writeEvents(frames)
    }

    func lastTaken(now: Int64) -> Int64 {
        _ = taking.look(now: now, transport?.socket.progress)
        return taking.lastTaken
    }

    func flush() {
        guard transport != nil, !outbox.isBlocked else { return }
        send()
        if isFinished, !isOver, outbox.isDrained { hangUp() }
    }

    func notify(_ notice: SubscriberNotice) {
        context.beginBurst()
        switch notice {
        case .messagesDropped(let topic, let count, let range):
            inform(.messagesDropped(topicJSON: topic.template.topicJSON, count: count, range: range))
        case .topicDeleted(let topic, _, _):
            inform(.topicDeleted(topicJSON: topic.template.topicJSON))
            if subscriptions.isEmpty { finish(.topicDeleted) }
        case .topicCreated(let topic, let isUnrecovered):
            created(topic, isUnrecovered: isUnrecovered)
        case .slowConsumer(let topic):
            tell(.slowConsumer, "Topic '\(topic.name)': too far behind")
            finish(.slowConsumer)
        case .slowConsumerWarning(let topic, let lag, let queue):
            inform(.slowConsumerWarning(topicJSON: topic.template.topicJSON, lag: lag, queue: queue))
        case .presence(let topic, let hasJoined, let clientID):
            inform(.presence(topicJSON: topic.template.topicJSON, hasJoined: hasJoined, clientID: clientID))
        case .presenceDropped(let topic, let count):
            inform(.presenceDropped(topicJSON: topic.template.topicJSON, count: count))
        case .historyUnavailable(let topic):
            tell(.unavailable, "Topic '\(topic.name)': what comes next cannot be read back now")
            finish(EndReason(Disconnect.overloaded.reason))
        case .overloaded:
            finish(EndReason(Disconnect.overloaded.reason))
        }
    }

    private func tell(_ code: ErrorCode, _ text: String) {
        context.counters.errors[code, default: 0] += 1
        write(#"{"type":"error","error":{"code":"\#(code.rawValue)","message":\#(jsonString(text))}"#)
    }

    func inform(_ info: InfoMessage, at position: String? = nil) {
        write(#"{"type":"info""# + info.members, at: position)
    }

    /// Writes an `info` event. `json` has neither its time nor its closing bracket.
    func write(_ json: String, at position: String? = nil) {
        let id = position.map { "id: \($0)\n" } ?? ""
        writeText("event: info\n\(id)data: \(json)\(dialect.timeKey)\(context.now)\"}\n\n")
    }

    private func writeText(_ text: String) {
        deliver(ByteBuffer(string: text))
    }

    // MARK: End

    /// Ends the response once pending data has gone out.
    func finish(_ reason: EndReason) {
        guard !isFinished else { return }
        endReason = reason
        isFinished = true
        stuckSince = nil
        finishedAt = context.monotonicNow()
        context.hub.removeAll(of: self, reason: reason)
        context.hub.flushLater(self)
    }

    func end() {
        guard !isOver else { return }
        isOver = true
        context.remove(self)
        context.hub.removeAll(of: self, reason: endReason)
        outbox = Outbox(.text)
        caller.place = nil
        guard let transport = transport.take() else { return }
        if let registration = registration.take() { poller.remove(registration, of: transport.socket) }
        release(transport)
    }

    private func release(_ transport: Transport) {
        transport.socket.giveUpIfUnanswered()
        transport.close()
        context.releaseSocket()
    }

    // MARK: On the loop

    func tick(now: Int64) {
        if hasWritten {
            hasWritten = false
            lastSign = now
        }
        if isFinished || outbox.isBlocked {
            _ = taking.look(now: now, transport?.socket.progress)
            let since = max(stuckSince ?? now, taking.lastTaken)
            stuckSince = since
            if now - since >= patience || now - (finishedAt ?? now) >= longestEnd { end() }
            return
        }
        stuckSince = nil
        if silence.time(now: now, transport?.socket.progress) >= patience { return end() }
        guard now - lastSign >= Self.heartbeat, transport != nil else { return }
        writeText(":\n\n")
    }

    /// How long the socket may accept nothing. While the stream is open: as long as a pinged WebSocket may be silent.
    /// After it has finished: as long as a closing WebSocket gets.
    private var patience: Int64 {
        let timeouts = context.settings.timeouts
        if isFinished { return timeouts.close.wholeMilliseconds }
        guard timeouts.pingInterval > .zero, timeouts.pong > .zero else { return .max }
        return (timeouts.pingInterval + timeouts.pong).wholeMilliseconds + PeerProgress.patience
    }

    /// The longest time that a client gets to take pending data after the end, even if it keeps taking some.
    private var longestEnd: Int64 {
        context.settings.timeouts.close.wholeMilliseconds * LoopContext.closeExtensions
    }

    func drain() {
        guard !isFinished, transport != nil, context.hub.isCaughtUp(self) else { return }
        context.beginBurst()
        let delay = context.reconnectDelay()
        inform(.shutdown(reconnectAfter: delay))
        writeText("retry: \(delay)\n\n")
        finish(EndReason(Disconnect.shutdown.reason))
    }
}
