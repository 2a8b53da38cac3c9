import DequeModule
import Glibc
import NIOCore

/// The way out of a connection: straight to the socket, and two lanes for what that does not take.
///
/// ```
/// control ──► acks, pongs, heartbeats ─┐
///                                      ├─► send(2) ──► what is left of the frame at work ──► channel ──► socket
/// events  ──► events, and what has     ┘
///             its place among them
/// ```
/// A channel's write costs about a microsecond of promises and pipeline besides the system call, so it is only asked to
/// finish the frame that the kernel took a part of, and so to tell when the socket takes more. Meanwhile everything else
/// waits here, and control goes first: an answer never waits for more events than the kernel has.
///
/// Bounded: the owner writes events only while this is writable, so the event lane holds ``highWater`` and a slice at the
/// most; for the control lane the owner stops reading what would be answered.
///
/// A class, because a flush may call back: the socket takes more at once, and more is written then.
final class Outbox {
    /// How many bytes of events may wait for a flush, or for the socket.
    static let highWater = 64 * 1024

    /// The plain socket under the channel; `nil` to write through the channel only.
    private let socket: CInt?
    /// The only write since the last flush, and whether it is for the event lane.
    private var held: (bytes: ByteBuffer, isEvents: Bool)?
    private var control = Deque<ByteBuffer>()
    private var events = Deque<ByteBuffer>()
    private(set) var controlBytes = 0
    private var eventBytes = 0
    /// Of those in the event lane, the bytes of answers that were kept in order.
    private var orderedBytes = 0
    /// Whether the channel has not finished what it was given.
    private var isInFlight = false
    /// Whether answers have to stay behind the events at hand.
    private var isOrdered = false
    private let becameEmpty: () -> Void

    /// - Parameter becameEmpty: called when everything is in the kernel that at first was not.
    init(socket: CInt?, becameEmpty: @escaping () -> Void) {
        self.socket = socket
        self.becameEmpty = becameEmpty
    }

    var hasUnflushed: Bool { held != nil || !isInFlight && !isEmpty }

    /// Whether nothing is left to be sent.
    var isDrained: Bool { held == nil && isEmpty && !isInFlight }

    private var isEmpty: Bool { control.isEmpty && events.isEmpty }

    /// How many bytes of answers wait, in whichever lane.
    var answerBytes: Int { controlBytes + orderedBytes }

    /// Whether more events are taken now.
    var isWritable: Bool { !isInFlight && eventBytes < Self.highWater }

    /// What a flush left to be done.
    enum Flushed {
        /// Everything is in the kernel, from this buffer, which may be used again.
        case sent(ByteBuffer)
        case nothing
        /// The socket is broken.
        case failed
    }

    // MARK: Writing

    /// Takes frames that go before events that still wait.
    func writeControl(_ bytes: ByteBuffer) {
        if isOrdered { orderedBytes += bytes.readableBytes }
        write(bytes, isEvents: isOrdered)
    }

    /// Takes frames that keep their place among events.
    func writeEvents(_ bytes: ByteBuffer) {
        write(bytes, isEvents: true)
    }

    private func write(_ bytes: ByteBuffer, isEvents: Bool) {
        if isEvents { eventBytes += bytes.readableBytes } else { controlBytes += bytes.readableBytes }
        if held == nil, !isInFlight, isEmpty {
            held = (bytes, isEvents)
            return
        }
        queueHeld()
        if isEvents { events.append(bytes) } else { control.append(bytes) }
    }

    private func queueHeld() {
        guard let held = held.take() else { return }
        if held.isEvents { events.append(held.bytes) } else { control.append(held.bytes) }
    }

    /// Keeps answers written from now on behind the events that wait.
    func keepOrder() {
        guard !isDrained else { return }
        queueHeld()
        if events.isEmpty { endOrder() } else { isOrdered = true }
    }

    // MARK: Sending

    /// Sends what was written, as far as the socket takes it.
    func flush(_ context: ChannelHandlerContext) -> Flushed {
        guard !isInFlight else { return .nothing }
        // Only here: what is taken out of a lane may come back into it when the socket does not take it all.
        defer { if events.isEmpty { endOrder() } }
        guard let socket else {
            queueHeld()
            return sendThroughChannel(context)
        }
        if let (bytes, isEvents) = held.take() {
            if isEvents { eventBytes = 0 } else { controlBytes = 0 }
            return send(bytes, isEvents: isEvents, to: socket, context)
        }
        while let (bytes, isEvents) = takeNext() {
            switch send(bytes, isEvents: isEvents, to: socket, context) {
            case .sent: continue
            case let other: return other
            }
        }
        return .nothing
    }

    /// The next bytes to send, control first: small buffers of one lane in one piece.
    private func takeNext() -> (ByteBuffer, isEvents: Bool)? {
        if let bytes = Self.takeNext(from: &control, &controlBytes) { return (bytes, false) }
        return Self.takeNext(from: &events, &eventBytes).map { ($0, true) }
    }

    private func endOrder() {
        isOrdered = false
        orderedBytes = 0
    }

    private static func takeNext(from lane: inout Deque<ByteBuffer>, _ count: inout Int) -> ByteBuffer? {
        guard var bytes = lane.popFirst() else { return nil }
        while let next = lane.first, bytes.readableBytes + next.readableBytes <= highWater {
            bytes.writeImmutableBuffer(next)
            lane.removeFirst()
        }
        count -= bytes.readableBytes
        return bytes
    }

    private func send(
        _ bytes: ByteBuffer,
        isEvents: Bool,
        to socket: CInt,
        _ context: ChannelHandlerContext
    ) -> Flushed {
        var sent = 0
        while sent < bytes.readableBytes {
            let count = bytes.withUnsafeReadableBytes { readable in
                let rest = UnsafeRawBufferPointer(rebasing: readable[sent...])
                return Glibc.send(socket, rest.baseAddress, rest.count, CInt(MSG_NOSIGNAL | MSG_DONTWAIT))
            }
            if count >= 0 {
                sent += count
                // A short count means a full socket: the next attempt would only be told so.
                if sent < bytes.readableBytes { break }
            } else if errno == EAGAIN || errno == EWOULDBLOCK {
                break
            } else if errno != EINTR {
                return .failed
            }
        }
        guard sent < bytes.readableBytes else { return .sent(bytes) }
        park(bytes, sent: sent, isEvents: isEvents, context)
        return .nothing
    }

    /// Has the channel finish the frame of which `sent` bytes are out, and puts what is behind it back into its lane.
    private func park(_ bytes: ByteBuffer, sent: Int, isEvents: Bool, _ context: ChannelHandlerContext) {
        let end = bytes.withUnsafeReadableBytes { FrameHead.endOfServerFrame(behind: sent, in: $0) }
        var rest = bytes
        rest.moveReaderIndex(forwardBy: sent)
        guard let frame = rest.readSlice(length: end - sent) else { return }
        if rest.readableBytes > 0 {
            if isEvents {
                events.prepend(rest)
                eventBytes += rest.readableBytes
            } else {
                control.prepend(rest)
                controlBytes += rest.readableBytes
            }
        }
        giveToChannel(frame, context)
    }

    private func sendThroughChannel(_ context: ChannelHandlerContext) -> Flushed {
        guard let (bytes, _) = takeNext() else { return .nothing }
        giveToChannel(bytes, context)
        return .nothing
    }

    private func giveToChannel(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        isInFlight = true
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { result in
            self.isInFlight = false
            guard case .success = result else { return }
            switch self.flush(context) {
            case .failed: context.close(promise: nil)
            case .sent, .nothing: if self.isDrained { self.becameEmpty() }
            }
        }
        context.writeAndFlush(NIOAny(bytes), promise: promise)
    }
}
