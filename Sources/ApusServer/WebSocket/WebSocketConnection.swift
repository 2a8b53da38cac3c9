import ApusProtocol
import ApusSockets
import ApusTLS
import Logging
import NIOCore

/// One WebSocket connection on its socket: frames, pings and the closing handshake (RFC 6455).
///
/// Used only on its loop, and owns its socket. Memory is bounded. The connection holds at most one incomplete message,
/// one message that its session has postponed, and the replies to its input. When ``maxPendingReplies`` bytes of
/// replies wait for a blocked socket, the connection stops reading.
final class WebSocketConnection: PollTarget {
    enum Phase {
        case open
        /// The server has sent its close frame; the peer's close frame has not arrived.
        case closing
        /// The peer broke the protocol or is being closed. Its input is discarded until it disconnects.
        case discarding
        case closed
    }

    /// How to close the socket when the kernel has the last byte.
    enum HangUp {
        /// Close only the sending direction; input is still read.
        case sending
        case both
    }

    /// How many bytes of replies may wait for a peer that sends but does not read, before the connection stops reading.
    static let maxPendingReplies = 64 * 1024

    let id: UInt64
    let context: LoopContext
    /// The compression window; `nil` when messages are not compressed.
    let window: DeflateWindow?
    private(set) var caller: Caller
    private let transport: Transport
    private let poller: Poller
    private var registration: Poller.ID?
    /// The events that the poller watches.
    private var interest: PollEvents = .readable
    var session: (any WebSocketSession)?
    @exclusivity(unchecked) var phase = Phase.open
    var assembler: MessageAssembler
    /// The start of an incomplete frame.
    @exclusivity(unchecked) var partial: ByteBuffer?
    /// A message that the session has postponed. While there is one, no further message is processed.
    @exclusivity(unchecked) var postponed: (message: ByteBuffer, isText: Bool)?
    /// The replies behind a publish that is not kept yet; `nil` when there are none.
    var held: HeldReplies?
    /// What the next messages wait for.
    @exclusivity(unchecked) var pauses: Pauses = []
    private var isReadHeld = false
    @exclusivity(unchecked) private(set) var outbox = Outbox()
    /// Whether the only unflushed bytes are one buffer of replies, which has no other owner.
    @exclusivity(unchecked) private var hasOnlyReplies = false
    var hangUpWhenDrained: HangUp?
    @exclusivity(unchecked) var keepalive: Keepalive
    /// When the connection is closed if the closing handshake is not complete, on the loop's clock.
    var closeDeadline: Int64 = .max
    /// The latest time that ``closeDeadline`` may be moved to.
    var closeLimit: Int64 = .max
    /// The connection's index in its loop's list.
    var loopIndex = 0

    /// Takes over a socket on which the handshake is complete. Set ``session`` next, then call ``start(_:)``.
    init(
        id: UInt64,
        context: LoopContext,
        transport: Transport,
        caller: Caller,
        poller: Poller,
        window: DeflateWindow? = nil
    ) {
        self.id = id
        self.context = context
        self.window = window
        self.transport = transport
        self.caller = caller
        self.poller = poller
        self.assembler = MessageAssembler(maxMessage: context.settings.limits.maxMessage)
        self.keepalive = Keepalive(now: context.monotonicNow(), context.settings.timeouts)
    }

    /// Starts reading.
    ///
    /// - Parameter registration: the socket's registration with its poller for ``PollEvents/readable``, if it has one.
    func start(_ registration: Poller.ID?) {
        context.add(self)
        do throws(SocketError) {
            if let registration {
                poller.replace(registration, target: self)
                self.registration = registration
            } else {
                self.registration = try poller.add(transport.socket, for: interest, target: self)
            }
        } catch {
            log("socket failed", code: nil, reason: "\(error)")
            end()
        }
    }

    /// Closes a new connection if memory is at its limit. A page learns the reason only from a close after the
    /// handshake's answer, so call it then.
    func closeIfMemoryIsFull() {
        if context.isFull { disconnect(.overloaded) }
    }

    /// The bytes of an incomplete message and of a postponed one.
    var inputBytes: Int {
        (partial?.readableBytes ?? 0) + assembler.bufferedBytes + (postponed?.message.readableBytes ?? 0)
            + (held?.byteCount ?? 0)
    }

    // MARK: Socket events

    func socketIsReady(_ events: PollEvents) {
        if outbox.isBlocked, !events.isDisjoint(with: [.writable, .broken]) {
            if events.contains(.writable) { keepalive.took(now: context.monotonicNow()) }
            continueWriting()
        }
        guard phase != .closed else { return }
        if events.contains(.readable) {
            readSocket()
        } else if !events.isDisjoint(with: .broken) {
            end()
        }
    }

    private func readSocket() {
        // Read once per readiness event, so that other sockets get their turn.
        switch transport.receive(into: context.input) {
        case .wouldBlock:
            break
        // The peer has closed its sending side. Without a closing handshake, the connection is over.
        case .failed, .bytes(0):
            end()
        case .bytes(let count):
            received(UnsafeMutableRawBufferPointer(rebasing: context.input[..<count]))
        }
    }

    /// Processes input. This changes `bytes`.
    func received(_ bytes: UnsafeMutableRawBufferPointer) {
        guard phase == .open || phase == .closing else { return }
        context.counters.receivedBytes += UInt64(bytes.count)
        keepalive.hasHeard = true
        guard postponed == nil, pauses.isEmpty else { return keep(bytes) }
        context.beginBurst()
        if partial != nil {
            keep(bytes)
            consumePartial()
        } else {
            let consumed = consume(bytes)
            if consumed < bytes.count { keep(UnsafeMutableRawBufferPointer(rebasing: bytes[consumed...])) }
        }
        sendReplies()
        if outbox.hasUnflushed { if poller.isInRound { context.flushAfterRound(self) } else { flush() } }
        holdRead()
    }

    /// Stops reading while a message is postponed, or while the peer does not accept its replies.
    func holdRead() {
        guard !isReadHeld, postponed != nil || !pauses.isEmpty || hasTooManyReplies else { return }
        isReadHeld = true
        updateInterest()
    }

    func releaseRead() {
        guard isReadHeld, postponed == nil, pauses.isEmpty, !hasTooManyReplies else { return }
        isReadHeld = false
        updateInterest()
    }

    /// Sends the replies to what was read in this round.
    func flushReplies() {
        flush()
        // The replies counted as waiting until now, and reading may have stopped for that.
        releaseRead()
    }

    private var hasTooManyReplies: Bool {
        phase == .open && outbox.answerBytes > Self.maxPendingReplies
    }

    /// Whether the connection reads from its socket.
    var isReading: Bool { interest.contains(.readable) }

    private func updateInterest() {
        var wanted: PollEvents = []
        if !isReadHeld { wanted.insert(.readable) }
        if outbox.isBlocked { wanted.insert(.writable) }
        guard wanted != interest, let registration else { return }
        interest = wanted
        poller.change(registration, of: transport.socket, to: wanted)
    }

    private func continueWriting() {
        send()
        guard phase != .closed, outbox.isDrained else { return }
        if let hangUp = hangUpWhenDrained { return close(hangUp) }
        releaseRead()
        session?.becameWritable()
    }

    // MARK: Sending frames

    /// What the kernel knows of the bytes written to the socket.
    var progress: SocketProgress? { transport.socket.progress }

    /// Whether data waits for the socket to become writable.
    var isBlocked: Bool { outbox.isBlocked }

    /// Whether the connection accepts more events now.
    var isWritable: Bool {
        phase == .open && outbox.isWritable
    }

    /// Whether there is data that ``flush()`` has not sent yet.
    var hasUnflushed: Bool { outbox.hasUnflushed }

    /// Writes whole frames that keep their order among events. ``flush()`` sends them.
    func write(_ frames: ByteBuffer) {
        guard phase == .open else { return }
        hasOnlyReplies = false
        context.counters.sentBytes += UInt64(frames.readableBytes)
        outbox.writeEvents(frames)
    }

    /// Writes whole frames that go before events. ``flush()`` sends them.
    func writeControl(_ frames: ByteBuffer) {
        guard phase == .open else { return }
        hasOnlyReplies = false
        context.counters.sentBytes += UInt64(frames.readableBytes)
        outbox.writeControl(frames)
    }

    /// Sends what was written, unless the socket is full. In that case the data goes out when the socket becomes
    /// writable.
    func flush() {
        if !outbox.isBlocked { send() }
    }

    private func send() {
        guard phase != .closed else { return }
        let wasBlocked = outbox.isBlocked
        switch outbox.flush(to: transport) {
        case .sent(let buffer): if hasOnlyReplies { context.recycle(buffer) }
        case .drained: if wasBlocked { updateInterest() }
        case .blocked: if !wasBlocked { updateInterest() }
        case .failed: end()
        }
    }

    /// Writes the replies of this burst in one piece.
    func sendReplies() {
        guard context.replies.readableBytes > 0 else { return }
        let replies = context.takeReplies()
        guard phase == .open else { return }
        if let held { return held.append(replies) }
        let isFirst = outbox.isDrained
        writeControl(replies)
        hasOnlyReplies = isFirst
    }

    /// From now on, replies go after the events that are waiting.
    func keepRepliesInOrder() {
        outbox.keepOrder()
    }

    // MARK: End of the connection

    func close(_ hangUp: HangUp) {
        switch hangUp {
        case .sending: transport.finishSending()
        case .both: end()
        }
    }

    /// Ends a connection whose peer does not finish the closing handshake, perhaps because its machine is gone.
    func giveUp() {
        transport.socket.giveUpIfUnanswered()
        end()
    }

    /// Closes the socket and releases everything.
    func end() {
        guard phase != .closed else { return }
        phase = .closed
        endSession()
        if let registration = registration.take() { poller.remove(registration, of: transport.socket) }
        transport.close()
        outbox = Outbox()
        caller.place = nil
        context.remove(self)
    }
}
