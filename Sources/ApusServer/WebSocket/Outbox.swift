import ApusSockets
import DequeModule
import NIOCore

/// The way out of a connection: straight to the socket, and two lanes for what that does not take.
///
/// ```
/// control ──► acks, pongs, heartbeats ─┐
///                                      ├─► send(2) ──► socket
/// events  ──► events, and what has     ┘      └─► what is left of the frame at work goes out before anything else
///             its place among them
/// ```
/// Once the kernel has taken a part of a frame, the rest of that waits for the socket; meanwhile everything else waits
/// here, and control goes first: an answer never waits for more events than the kernel has.
///
/// Bounded: the owner writes events only while this is writable, so the event lane holds ``highWater`` and a slice at
/// the most; for the control lane the owner stops reading what would be answered.
struct Outbox {
    /// How many bytes of events may wait for a flush, or for the socket.
    static let highWater = 64 * 1024

    /// What is written, and so where something else may go in between.
    enum Content {
        /// WebSocket frames: control goes between any two.
        case frames
        /// Text of an event stream: it all keeps its order.
        case text
    }

    let content: Content

    /// The only write since the last flush, and whether it is for the event lane.
    private var held: (bytes: ByteBuffer, isEvents: Bool)?
    /// There only while more than that waits: most connections never have one.
    private(set) var backlog: Backlog?

    /// What waits behind the first write, or for the socket.
    final class Backlog {
        /// The rest of a frame of which the kernel took a part.
        var current: ByteBuffer?
        var control = Deque<ByteBuffer>()
        var events = Deque<ByteBuffer>()
        private(set) var controlBytes = 0
        private(set) var eventBytes = 0
        /// Of those in the event lane, the bytes of answers that were kept in order.
        var orderedBytes = 0
        /// Whether answers have to stay behind the events at hand.
        var isOrdered = false

        var isEmpty: Bool { control.isEmpty && events.isEmpty }

        func append(_ bytes: ByteBuffer, isEvents: Bool) {
            if isEvents {
                eventBytes += bytes.readableBytes
                events.append(bytes)
            } else {
                controlBytes += bytes.readableBytes
                control.append(bytes)
            }
        }

        func prepend(_ bytes: ByteBuffer, isEvents: Bool) {
            if isEvents {
                eventBytes += bytes.readableBytes
                events.prepend(bytes)
            } else {
                controlBytes += bytes.readableBytes
                control.prepend(bytes)
            }
        }

        /// The next bytes to send, control first: small buffers of one lane in one piece.
        func takeNext() -> (bytes: ByteBuffer, isEvents: Bool)? {
            if let bytes = Self.takeNext(from: &control, &controlBytes) { return (bytes, false) }
            return Self.takeNext(from: &events, &eventBytes).map { ($0, true) }
        }

        private static func takeNext(from lane: inout Deque<ByteBuffer>, _ count: inout Int) -> ByteBuffer? {
            guard var bytes = lane.popFirst() else { return nil }
            while let next = lane.first, bytes.readableBytes + next.readableBytes <= Outbox.highWater {
                bytes.writeImmutableBuffer(next)
                lane.removeFirst()
            }
            count -= bytes.readableBytes
            return bytes
        }

        func endOrder() {
            isOrdered = false
            orderedBytes = 0
        }
    }

    init(_ content: Content = .frames) {
        self.content = content
    }

    /// Whether something was written that no flush has tried to send.
    var hasUnflushed: Bool {
        guard let backlog else { return held != nil }
        return backlog.current == nil && (held != nil || !backlog.isEmpty)
    }

    /// Whether nothing is left to be sent.
    var isDrained: Bool { held == nil && backlog == nil }

    /// Whether the socket has to take more before anything else goes out.
    var isBlocked: Bool { backlog?.current != nil }

    /// How many bytes of answers wait, in whichever lane.
    var answerBytes: Int {
        let heldBytes = held.map { $0.isEvents ? 0 : $0.bytes.readableBytes } ?? 0
        guard let backlog else { return heldBytes }
        return heldBytes + backlog.controlBytes + backlog.orderedBytes
    }

    /// Whether more events are taken now.
    var isWritable: Bool {
        let heldBytes = held.map { $0.isEvents ? $0.bytes.readableBytes : 0 } ?? 0
        guard let backlog else { return heldBytes < Self.highWater }
        return backlog.current == nil && heldBytes + backlog.eventBytes < Self.highWater
    }

    /// What a flush left to be done.
    enum Flushed {
        /// Everything is in the kernel, from this buffer, which may be used again.
        case sent(ByteBuffer)
        /// Everything is in the kernel, or there was nothing.
        case drained
        /// The socket has to take more first.
        case blocked
        /// The socket is broken.
        case failed
    }

    // MARK: Writing

    /// Takes frames that go before events that still wait.
    mutating func writeControl(_ bytes: ByteBuffer) {
        let isOrdered = backlog?.isOrdered ?? false
        if isOrdered { backlog?.orderedBytes += bytes.readableBytes }
        write(bytes, isEvents: isOrdered)
    }

    /// Takes frames that keep their place among events.
    mutating func writeEvents(_ bytes: ByteBuffer) {
        write(bytes, isEvents: true)
    }

    private mutating func write(_ bytes: ByteBuffer, isEvents: Bool) {
        if held == nil, backlog == nil {
            held = (bytes, isEvents)
        } else {
            queueHeld().append(bytes, isEvents: isEvents)
        }
    }

    /// Puts what was held alone into its lane.
    @discardableResult
    private mutating func queueHeld() -> Backlog {
        let lanes = backlog ?? Backlog()
        backlog = lanes
        if let held = held.take() { lanes.append(held.bytes, isEvents: held.isEvents) }
        return lanes
    }

    /// Keeps answers written from now on behind the events that wait.
    mutating func keepOrder() {
        guard !isDrained else { return }
        let lanes = queueHeld()
        if lanes.events.isEmpty { lanes.endOrder() } else { lanes.isOrdered = true }
    }

    // MARK: Sending

    /// Sends what was written, as far as the socket takes it. Call it again when the socket takes more.
    mutating func flush(to socket: Socket) -> Flushed {
        if backlog == nil {
            guard let (bytes, isEvents) = held.take() else { return .drained }
            return send(bytes, isEvents: isEvents, to: socket) ?? .sent(bytes)
        }
        let lanes = queueHeld()
        // Only here: what is taken out of a lane may come back into it when the socket does not take it all.
        defer { if lanes.events.isEmpty { lanes.endOrder() } }
        if let rest = lanes.current.take(), let stopped = send(rest, isEvents: nil, to: socket) { return stopped }
        while let (bytes, isEvents) = lanes.takeNext() {
            if let stopped = send(bytes, isEvents: isEvents, to: socket) { return stopped }
        }
        backlog = nil
        return .drained
    }

    /// Gives the kernel whole frames, or with `isEvents` of `nil` the rest of one; `nil` when it has taken everything.
    private mutating func send(_ bytes: ByteBuffer, isEvents: Bool?, to socket: Socket) -> Flushed? {
        var sent = 0
        switch bytes.withUnsafeReadableBytes({ socket.send($0) }) {
        case .bytes(let count): sent = count
        case .wouldBlock: break
        case .failed: return .failed
        }
        // A short count means a full socket: the next attempt would only be told so.
        guard sent < bytes.readableBytes else { return nil }
        park(bytes, sent: sent, isEvents: isEvents)
        return .blocked
    }

    /// Keeps the frame of which `sent` bytes are out for when the socket takes more, and puts what is behind it back
    /// into its lane.
    private mutating func park(_ bytes: ByteBuffer, sent: Int, isEvents: Bool?) {
        let lanes = queueHeld()
        var rest = bytes
        rest.moveReaderIndex(forwardBy: sent)
        guard let isEvents, content == .frames else {
            lanes.current = rest
            return
        }
        let end = bytes.withUnsafeReadableBytes { FrameHead.endOfServerFrame(behind: sent, in: $0) }
        lanes.current = rest.readSlice(length: end - sent)
        if rest.readableBytes > 0 { lanes.prepend(rest, isEvents: isEvents) }
    }
}
