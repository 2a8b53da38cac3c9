public import ApusSockets

/// Buffers that the connections of a loop share, as none keeps anything there between two calls.
public final class TLSBuffers {
    /// Sealed bytes just received.
    let input: UnsafeMutableRawBufferPointer
    /// Sealed bytes to be sent.
    var output = SealedOutput(capacity: TLSTransport.burst * (TLSSession.recordSize + TLSSession.recordOverhead))

    public init() {
        input = .allocate(byteCount: TLSTransport.portion, alignment: 16)
    }

    deinit {
        input.deallocate()
    }
}

/// A TLS session on its socket. Used by the thread of the buffers.
///
/// ```
/// send ──► seal up to 4 records ──► socket, in one call ──► what it does not take waits here, as sealed
/// ```
/// Memory is bounded: what a full socket leaves is at most ``burst`` records, or one for a socket that was full before,
/// and the answers to what the peer sends, up to ``maxUnsent`` bytes.
public final class TLSTransport {
    /// How many records are sealed for one call of the socket.
    static let burst = 4
    /// How many sealed bytes wait for a peer that has its key updates answered, but does not read: beyond that, the
    /// connection fails.
    static let maxUnsent = 256 * 1024
    /// How many sealed bytes are received at once.
    static let portion = 40 * 1024
    /// The room that receiving takes at least, in bytes: for an incomplete record from before, and what completes it.
    public static let minSpace = 2 * (TLSSession.recordSize + TLSSession.recordOverhead)

    public let session: TLSSession
    private let buffers: TLSBuffers
    /// Sealed bytes that the socket has not taken.
    private var unsent: [UInt8] = []
    private var isEnded = false

    public init(_ session: TLSSession, _ buffers: TLSBuffers) {
        self.session = session
        self.buffers = buffers
    }

    public var hasUnsent: Bool { !unsent.isEmpty }

    /// Begins a client's handshake. It goes on with what is received.
    ///
    /// - Returns: whether that worked.
    public func start(on socket: Socket) -> Bool {
        var nothing = UnsafeRawBufferPointer(start: nil, count: 0)
        buffers.output.clear()
        guard session.open(&nothing, into: buffers.input, output: &buffers.output) == .bytes(0) else { return false }
        return sendOutput(to: socket)
    }

    // MARK: Sending

    func send(_ bytes: UnsafeRawBufferPointer, to socket: Socket) -> Socket.Transfer {
        let wasFull = hasUnsent
        guard sendUnsent(to: socket) else { return .failed }
        guard !hasUnsent else { return .wouldBlock }
        var taken = 0
        while taken < bytes.count, !hasUnsent {
            var records = wasFull ? 1 : Self.burst
            buffers.output.clear()
            while records > 0, taken < bytes.count {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[taken...])
                guard let count = session.seal(rest, output: &buffers.output) else { return .failed }
                taken += count
                records -= 1
            }
            guard sendOutput(to: socket) else { return .failed }
        }
        return .bytes(taken)
    }

    /// Sends what was sealed just now, and keeps the rest.
    private func sendOutput(to socket: Socket) -> Bool {
        defer { buffers.output.clear() }
        let bytes = buffers.output.bytes
        guard bytes.count > 0 else { return true }
        var sent = 0
        if !hasUnsent {
            switch socket.send(bytes) {
            case .bytes(let count): sent = count
            case .wouldBlock: break
            case .failed: return false
            }
        }
        if sent < bytes.count { unsent.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[sent...])) }
        return unsent.count <= Self.maxUnsent
    }

    private func sendUnsent(to socket: Socket) -> Bool {
        guard hasUnsent else { return true }
        switch unsent.withUnsafeBytes({ socket.send($0) }) {
        case .bytes(let count) where count == unsent.count: unsent = []
        case .bytes(let count): unsent.removeFirst(count)
        case .wouldBlock: break
        case .failed: return false
        }
        return true
    }

    // MARK: Receiving

    func receive(from socket: Socket, into space: UnsafeMutableRawBufferPointer) -> Socket.Transfer {
        guard !isEnded else { return .bytes(0) }
        let sealed: UnsafeMutableRawBufferPointer
        let size = min(Self.portion, space.count - Self.minSpace / 2)
        switch socket.receive(into: UnsafeMutableRawBufferPointer(rebasing: buffers.input[..<size])) {
        case .bytes(let count): sealed = UnsafeMutableRawBufferPointer(rebasing: buffers.input[..<count])
        case .wouldBlock: return .wouldBlock
        case .failed: return .failed
        }
        // The end without a `close_notify`. Whoever reads here knows whether something is missing.
        guard sealed.count > 0 else { return .bytes(0) }
        var rest = UnsafeRawBufferPointer(sealed)
        buffers.output.clear()
        let opened = session.open(&rest, into: space, output: &buffers.output)
        guard sendOutput(to: socket) else { return .failed }
        switch opened {
        case .bytes(0): return .wouldBlock
        case .bytes(let count): return .bytes(count)
        case .ended(let count):
            end(socket)
            return .bytes(count)
        // There is room for all that one call receives.
        case .failed, .unfinished: return .failed
        }
    }

    /// Nothing more is read; the poller says so again if this was not the last that its owner wants to know.
    private func end(_ socket: Socket) {
        isEnded = true
        socket.finishReceiving()
    }

    /// Tells the peer that nothing more comes, if it can still be told: nothing waits for that.
    func finish(_ socket: Socket) {
        guard !hasUnsent else { return }
        buffers.output.clear()
        session.close(output: &buffers.output)
        _ = sendOutput(to: socket)
    }
}
