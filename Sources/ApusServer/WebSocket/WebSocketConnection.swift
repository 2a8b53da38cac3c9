import ApusProtocol
import ApusSockets
import Logging
import NIOCore

/// One WebSocket on its socket: frames in, frames out, pings and the closing handshake (RFC 6455).
///
/// Lives on its loop, and owns its socket. What it holds is bounded: one message that is not complete yet, one message
/// its session has put off, and the replies to what it reads: when ``maxPendingReplies`` bytes of these wait for a
/// socket that takes nothing, it stops reading.
final class WebSocketConnection: PollTarget {
    enum Phase {
        case open
        /// Our close frame is on its way; the peer's has not come.
        case closing
        /// The peer broke the protocol or is being let go: what it still sends is thrown away until it hangs up.
        case discarding
        case closed
    }

    /// How the socket is closed when the last byte is in the kernel.
    enum HangUp {
        /// Nothing more is sent; what comes is still read.
        case sending
        case both
    }

    /// How many bytes of replies may wait for a peer that sends but does not read, before it is read no more.
    static let maxPendingReplies = 64 * 1024

    let id: UInt64
    let worker: Worker
    /// How messages are compressed; `nil` when they are not.
    let window: DeflateWindow?
    let peerAddress: PeerAddress
    private let socket: Socket
    private let poller: Poller
    private var registration: Poller.ID?
    /// What the poller is asked for.
    private var interest: PollEvents = .readable
    var session: (any WebSocketSession)?
    @exclusivity(unchecked) var phase = Phase.open
    var assembler: MessageAssembler
    /// The start of a frame whose rest has not come.
    @exclusivity(unchecked) var partial: ByteBuffer?
    /// A message the session asked to get again; while there is one, nothing is read.
    @exclusivity(unchecked) var postponed: (message: ByteBuffer, isText: Bool)?
    private var isReadHeld = false
    @exclusivity(unchecked) private(set) var outbox = Outbox()
    /// Whether all that is unflushed is a buffer of replies, which nobody else holds.
    @exclusivity(unchecked) private var hasOnlyReplies = false
    var hangUpWhenDrained: HangUp?
    @exclusivity(unchecked) var keepalive: Keepalive
    /// When the connection is cut if the closing handshake has not ended it, on the worker's clock.
    var closeDeadline: Int64 = .max
    /// What that is not put off beyond.
    var closeLimit: Int64 = .max
    /// Its place in its worker's list.
    var workerIndex = 0

    /// Takes over a socket on which the handshake is done. Give it its session, then ``start(_:)``.
    init(
        id: UInt64,
        worker: Worker,
        socket: Socket,
        peer: PeerAddress,
        poller: Poller,
        window: DeflateWindow? = nil
    ) {
        self.id = id
        self.worker = worker
        self.window = window
        self.socket = socket
        self.peerAddress = peer
        self.poller = poller
        self.assembler = MessageAssembler(maxMessage: worker.settings.maxMessage)
        self.keepalive = Keepalive(now: worker.monotonicNow(), settings: worker.settings)
    }

    /// Begins to read.
    ///
    /// - Parameter registration: that of the socket with its poller, for ``PollEvents/readable``, when it has one.
    func start(_ registration: Poller.ID?) {
        worker.add(self)
        do throws(SocketError) {
            if let registration {
                poller.replace(registration, target: self)
                self.registration = registration
            } else {
                self.registration = try poller.add(socket, for: interest, target: self)
            }
        } catch {
            log("socket failed", code: nil, reason: "\(error)")
            end()
        }
    }

    // MARK: Socket events

    func socketIsReady(_ events: PollEvents) {
        if outbox.isBlocked, !events.isDisjoint(with: [.writable, .broken]) {
            if events.contains(.writable) { keepalive.took(now: worker.monotonicNow()) }
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
        // One read for each time it is ready: the others have their turn before the rest.
        switch socket.receive(into: worker.input) {
        case .wouldBlock:
            break
        // The peer sends nothing more. Without a closing handshake there is nobody left to talk to.
        case .failed, .bytes(0):
            end()
        case .bytes(let count):
            received(UnsafeMutableRawBufferPointer(rebasing: worker.input[..<count]))
        }
    }

    /// Works off what has come; `bytes` are changed.
    func received(_ bytes: UnsafeMutableRawBufferPointer) {
        guard phase == .open || phase == .closing else { return }
        worker.counters.receivedBytes += UInt64(bytes.count)
        keepalive.hasHeard = true
        guard postponed == nil else { return keep(bytes) }
        worker.beginBurst()
        if partial != nil {
            keep(bytes)
            consumePartial()
        } else {
            let consumed = consume(bytes)
            if consumed < bytes.count { keep(UnsafeMutableRawBufferPointer(rebasing: bytes[consumed...])) }
        }
        sendReplies()
        if outbox.hasUnflushed { if poller.isInRound { worker.flushLater(self) } else { flush() } }
        holdRead()
    }

    /// Stops reading while the session puts a message off, or the peer does not take its replies.
    private func holdRead() {
        guard !isReadHeld, postponed != nil || hasTooManyReplies else { return }
        isReadHeld = true
        updateInterest()
    }

    func releaseRead() {
        guard isReadHeld, postponed == nil, !hasTooManyReplies else { return }
        isReadHeld = false
        updateInterest()
    }

    /// Sends the replies to what was read in this round.
    func flushReplies() {
        flush()
        // They counted as waiting until now, and reading may have stopped for that.
        releaseRead()
    }

    private var hasTooManyReplies: Bool {
        phase == .open && outbox.answerBytes > Self.maxPendingReplies
    }

    /// Whether what the peer sends is taken.
    var isReading: Bool { interest.contains(.readable) }

    private func updateInterest() {
        var wanted: PollEvents = []
        if !isReadHeld { wanted.insert(.readable) }
        if outbox.isBlocked { wanted.insert(.writable) }
        guard wanted != interest, let registration else { return }
        interest = wanted
        poller.change(registration, of: socket, to: wanted)
    }

    private func continueWriting() {
        send()
        guard phase != .closed, outbox.isDrained else { return }
        if let hangUp = hangUpWhenDrained { return close(hangUp) }
        releaseRead()
        session?.becameWritable()
    }

    // MARK: Frames out

    /// What the kernel knows of the bytes that the socket was given.
    var progress: SocketProgress? { socket.progress }

    /// Whether something waits for the socket to take more.
    var isBlocked: Bool { outbox.isBlocked }

    /// Whether the socket takes more now.
    var isWritable: Bool {
        phase == .open && outbox.isWritable
    }

    /// Whether something was written that ``flush()`` has not sent.
    var hasUnflushed: Bool { outbox.hasUnflushed }

    /// Writes whole frames that have their place among events; ``flush()`` sends them.
    func write(_ frames: ByteBuffer) {
        guard phase == .open else { return }
        hasOnlyReplies = false
        worker.counters.sentBytes += UInt64(frames.readableBytes)
        outbox.writeEvents(frames)
    }

    /// Writes whole frames that go before events; ``flush()`` sends them.
    func writeControl(_ frames: ByteBuffer) {
        guard phase == .open else { return }
        hasOnlyReplies = false
        worker.counters.sentBytes += UInt64(frames.readableBytes)
        outbox.writeControl(frames)
    }

    /// Sends what was written, unless the socket is full: who waits for that is told when it takes more, and not
    /// before.
    func flush() {
        if !outbox.isBlocked { send() }
    }

    private func send() {
        guard phase != .closed else { return }
        let wasBlocked = outbox.isBlocked
        switch outbox.flush(to: socket) {
        case .sent(let buffer): if hasOnlyReplies { worker.recycle(buffer) }
        case .drained: if wasBlocked { updateInterest() }
        case .blocked: if !wasBlocked { updateInterest() }
        case .failed: end()
        }
    }

    /// Writes the replies of this burst, in one piece.
    func sendReplies() {
        guard worker.replies.readableBytes > 0 else { return }
        let replies = worker.takeReplies()
        guard phase == .open else { return }
        let isFirst = outbox.isDrained
        writeControl(replies)
        hasOnlyReplies = isFirst
    }

    /// Keeps the replies from here on behind the events that still wait.
    func keepRepliesInOrder() {
        outbox.keepOrder()
    }

    // MARK: The end

    func close(_ hangUp: HangUp) {
        switch hangUp {
        case .sending: socket.finishSending()
        case .both: end()
        }
    }

    /// Closes the socket and lets go of everything.
    func end() {
        guard phase != .closed else { return }
        phase = .closed
        endSession()
        if let registration = registration.take() { poller.remove(registration, of: socket) }
        socket.close()
        outbox = Outbox()
        worker.remove(self)
    }
}
