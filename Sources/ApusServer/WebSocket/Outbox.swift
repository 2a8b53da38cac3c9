import ApusSockets
import ApusTLS
import Glibc
import NIOCore

/// The sending side of a connection. Data goes straight to the socket; what the socket does not take waits in two
/// lanes.
///
/// ```
/// control ──► acks, pongs, heartbeats ─┐
///                                      ├─► one sendmsg(2) for several pieces ──► socket
/// events  ──► events, and replies kept ┘      └─► the rest of a partly sent frame goes out before anything else
///             in order with them
/// ```
/// When the kernel has taken only part of a frame, the rest of that frame waits for the socket, and everything else
/// waits here. Control goes first: a reply never waits for more events than the kernel already has.
///
/// Memory is bounded. The owner writes events only while the outbox is writable, so the event lane holds at most
/// ``highWater`` bytes and one slice. To bound the control lane, the owner stops reading commands.
struct Outbox {
    /// How many bytes of events may wait for a flush or for the socket: four batches, so that a subscriber that is
    /// behind gets as many in one call.
    static let highWater = 256 * 1024
    /// How many pieces go to the socket in one call.
    static let maxPieces = 16
    /// Writes are copied into one piece up to this size. A larger piece costs more to copy than to name.
    static let joinedPiece = 16 * 1024
    /// The same where the bytes are sealed, which copies them anyway, and a call takes one piece.
    static let joinedSealedPiece = 64 * 1024

    /// What is written. This decides where control data may go in between.
    enum Content {
        /// WebSocket frames: control goes between any two frames.
        case frames
        /// Text of an event stream: everything keeps its order.
        case text
    }

    let content: Content

    /// The only write since the last flush, and whether it belongs to the event lane.
    private var held: (bytes: ByteBuffer, isEvents: Bool)?
    /// Exists only while more than ``held`` waits. Most connections never have one.
    private(set) var backlog: Backlog?

    /// What goes to the socket together.
    private struct Piece {
        let bytes: ByteBuffer
        let lane: Lane
    }

    init(_ content: Content = .frames) {
        self.content = content
    }

    /// Whether there is data that no flush has tried to send.
    var hasUnflushed: Bool {
        guard let backlog else { return held != nil }
        return backlog.current == nil && (held != nil || !backlog.isEmpty)
    }

    /// Whether nothing is left to send.
    var isDrained: Bool { held == nil && backlog == nil }

    /// Whether the socket must become writable before anything else can be sent.
    var isBlocked: Bool { backlog?.current != nil }

    /// How many bytes of replies wait, in both lanes.
    var answerBytes: Int {
        let heldBytes = held.map { $0.isEvents ? 0 : $0.bytes.readableBytes } ?? 0
        guard let backlog else { return heldBytes }
        return heldBytes + backlog.controlBytes + backlog.orderedBytes
    }

    /// How many bytes wait, all told.
    var pendingBytes: Int {
        let heldBytes = held?.bytes.readableBytes ?? 0
        guard let backlog else { return heldBytes }
        return heldBytes + backlog.controlBytes + backlog.eventBytes + (backlog.current?.readableBytes ?? 0)
    }

    /// Whether the outbox accepts more events now.
    var isWritable: Bool {
        let heldBytes = held.map { $0.isEvents ? $0.bytes.readableBytes : 0 } ?? 0
        guard let backlog else { return heldBytes < Self.highWater }
        return backlog.current == nil && heldBytes + backlog.eventBytes < Self.highWater
    }

    /// The result of a flush.
    enum Flushed {
        /// The kernel has everything. It came from this buffer alone, which may be reused.
        case sent(ByteBuffer)
        /// The kernel has everything, or there was nothing to send.
        case drained
        /// The socket must become writable first.
        case blocked
        /// The socket is broken.
        case failed
    }

    // MARK: Writing

    /// Writes frames that go before waiting events.
    mutating func writeControl(_ bytes: ByteBuffer) {
        let isOrdered = backlog?.isOrdered ?? false
        if isOrdered { backlog?.orderedBytes += bytes.readableBytes }
        write(bytes, isEvents: isOrdered)
    }

    /// Writes frames that keep their order among events.
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

    /// Moves the single held write into its lane.
    @discardableResult
    private mutating func queueHeld() -> Backlog {
        let lanes = backlog ?? Backlog()
        backlog = lanes
        if let held = held.take() { lanes.append(held.bytes, isEvents: held.isEvents) }
        return lanes
    }

    /// Keeps replies that are written from now on behind the waiting events.
    mutating func keepOrder() {
        guard !isDrained else { return }
        let lanes = queueHeld()
        if lanes.events.isEmpty { lanes.endOrder() } else { lanes.isOrdered = true }
    }

    // MARK: Sending

    /// Sends what was written, as far as the socket takes it. Call this again when the socket becomes writable.
    mutating func flush(to transport: Transport) -> Flushed {
        if backlog == nil {
            guard let (bytes, isEvents) = held.take() else { return .drained }
            return send(bytes, of: isEvents ? .events : .control, to: transport) ?? .sent(bytes)
        }
        let lanes = queueHeld()
        // Only here: data taken out of a lane may return to it when the socket does not take everything.
        defer { if lanes.events.isEmpty { lanes.endOrder() } }
        let limit = transport.tls == nil ? Self.joinedPiece : Self.joinedSealedPiece
        while let (bytes, lane) = lanes.takeNext(joining: limit) {
            let stopped =
                lanes.isEmpty
                ? send(bytes, of: lane, to: transport)
                : send(pieces(from: Piece(bytes: bytes, lane: lane), joining: limit, of: lanes), to: transport)
            if let stopped { return stopped }
        }
        backlog = nil
        return .drained
    }

    /// Takes what goes out in one call.
    private func pieces(from first: Piece, joining limit: Int, of lanes: Backlog) -> [Piece] {
        var pieces = [first]
        pieces.reserveCapacity(4)
        while pieces.count < Self.maxPieces, let (bytes, lane) = lanes.takeNext(joining: limit) {
            pieces.append(Piece(bytes: bytes, lane: lane))
        }
        return pieces
    }

    /// Sends bytes of one lane. Returns `nil` if the kernel has taken everything.
    private mutating func send(_ bytes: ByteBuffer, of lane: Lane, to transport: Transport) -> Flushed? {
        var sent = 0
        switch bytes.withUnsafeReadableBytes({ transport.send($0) }) {
        case .bytes(let count): sent = count
        case .wouldBlock: break
        case .failed: return .failed
        }
        // A short count means a full socket; another attempt would only report that.
        // Through TLS, bytes may be sealed, and wait there.
        guard sent < bytes.readableBytes || transport.hasUnsent else { return nil }
        park(bytes, sent: sent, of: lane)
        return .blocked
    }

    /// Sends pieces in one call. Returns `nil` if the kernel has taken everything.
    private mutating func send(_ pieces: [Piece], to transport: Transport) -> Flushed? {
        var sent = 0
        switch Self.give(pieces, to: transport) {
        case .bytes(let count): sent = count
        case .wouldBlock: break
        case .failed: return .failed
        }
        let total = pieces.reduce(0) { $0 + $1.bytes.readableBytes }
        guard sent < total || transport.hasUnsent else { return nil }
        var cut = 0
        while cut < pieces.count - 1, sent >= pieces[cut].bytes.readableBytes {
            sent -= pieces[cut].bytes.readableBytes
            cut += 1
        }
        let lanes = queueHeld()
        for piece in pieces[(cut + 1)...].reversed() {
            lanes.prepend(piece.bytes, isEvents: piece.lane == .events)
        }
        park(pieces[cut].bytes, sent: sent, of: pieces[cut].lane)
        return .blocked
    }

    private static func give(_ pieces: [Piece], to transport: Transport) -> Socket.Transfer {
        withUnsafeTemporaryAllocation(of: iovec.self, capacity: pieces.count) { slices in
            for (index, piece) in pieces.enumerated() {
                // The pieces keep their storage, and nobody writes to it, until the call is over.
                piece.bytes.withUnsafeReadableBytes { bytes in
                    slices.initializeElement(
                        at: index,
                        to: iovec(
                            iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress),
                            iov_len: bytes.count
                        )
                    )
                }
            }
            return withExtendedLifetime(pieces) { transport.send(slices) }
        }
    }

    /// Keeps the frame that is partly sent until the socket becomes writable, and returns the frames after it to their
    /// lane. `sent` is the number of bytes that the kernel has taken.
    private mutating func park(_ bytes: ByteBuffer, sent: Int, of lane: Lane) {
        let lanes = queueHeld()
        var rest = bytes
        rest.moveReaderIndex(forwardBy: sent)
        guard lane != .atWork, content == .frames, rest.readableBytes > 0 else {
            lanes.current = rest
            return
        }
        let end = bytes.withUnsafeReadableBytes { FrameHead.endOfServerFrame(behind: sent, in: $0) }
        lanes.current = rest.readSlice(length: end - sent)
        if rest.readableBytes > 0 { lanes.prepend(rest, isEvents: lane == .events) }
    }
}
