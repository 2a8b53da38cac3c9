internal import CZlib

/// Takes compressed messages and bodies apart, one by one and within a bound.
///
/// For messages one for all connections of an event loop: clients are told `client_no_context_takeover`, so that
/// nothing has to be kept for a connection between its messages. With context takeover zlib would hold 40 kB for each
/// that has ever sent one.
///
/// Belongs to one thread. Bounded: what is kept is zlib's state and ``usual`` bytes for what comes out; a larger
/// message has memory of its own, of at most twice its size, for as long as it is read.
public final class Inflater {
    /// Why a message cannot be read.
    public enum Fault: Error, Equatable {
        /// It is no DEFLATE data (RFC 1951), or ends in the midst of it.
        case corrupt
        /// It is larger than it may be.
        case tooLarge
    }

    /// What DEFLATE data (RFC 1951) is wrapped in, and where it ends.
    public enum Format: Sendable {
        /// A WebSocket's message: without the end of its last block (RFC 7692 section 7.2.2).
        case message
        /// One member or several (RFC 1952).
        case gzip
        /// RFC 1950.
        case zlib
        /// Nothing around it.
        case raw

        /// What zlib is told. The largest window reads what was written with any.
        fileprivate var windowBits: CInt {
            switch self {
            case .message, .raw: -15
            case .gzip: 15 + 16
            case .zlib: 15
            }
        }

        /// Whether another stream may follow behind a last block.
        fileprivate var isRepeatable: Bool { self == .message || self == .gzip }
    }

    static let usual = 64 * 1024

    private let format: Format
    private let stream: UnsafeMutablePointer<z_stream>
    private let usualOutput: UnsafeMutableRawBufferPointer

    public init(_ format: Format = .message) {
        self.format = format
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        let result = inflateInit2_(stream, format.windowBits, ZLIB_VERSION, CInt(MemoryLayout<z_stream>.size))
        precondition(result == Z_OK, "zlib has no memory")
        usualOutput = .allocate(byteCount: Self.usual, alignment: 16)
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
        usualOutput.deallocate()
    }

    /// Gives `body` the message that `compressed` is, in memory that is its own until it returns. Inflating stops at
    /// the limit, however much there would be.
    ///
    /// - Throws: ``Fault``.
    public func withInflated<Result>(
        _ compressed: UnsafeRawBufferPointer,
        limit: Int,
        _ body: (UnsafeRawBufferPointer) -> Result
    ) throws(Fault) -> Result {
        // Strictly a message is a byte at least. Some send none for an empty one.
        guard !compressed.isEmpty || format != .message else {
            return body(UnsafeRawBufferPointer(start: nil, count: 0))
        }
        guard inflateReset(stream) == Z_OK, UInt32(exactly: compressed.count) != nil else { throw .corrupt }
        var output = Output(usualOutput)
        defer {
            output.release()
            stream.pointee.next_in = nil
            stream.pointee.next_out = nil
        }
        let state = try inflate(compressed, to: &output, limit: limit)
        // A message may end with a last block, though strictly a byte more should follow (RFC 7692 section 7.2.3.4).
        if state != .ended {
            guard format == .message else { throw .corrupt }
            try inflateTail(to: &output, limit: limit, from: state)
        }
        return body(UnsafeRawBufferPointer(rebasing: output.memory[..<output.count]))
    }

    /// Of a whole message the tail is an empty block; one that was cut off takes it for something else.
    private func inflateTail(to output: inout Output, limit: Int, from start: State) throws(Fault) {
        let count = output.count
        let state = try withUnsafeBytes(of: Deflater.tail) { tail throws(Fault) in
            try inflate(tail, to: &output, limit: limit, from: start)
        }
        guard state == .betweenBlocks || state == .ended, output.count == count else { throw .corrupt }
    }

    private enum State {
        case withinBlock
        case betweenBlocks
        /// Behind a block that says it is the last.
        case ended
    }

    private func inflate(
        _ input: UnsafeRawBufferPointer,
        to output: inout Output,
        limit: Int,
        from start: State = .withinBlock
    ) throws(Fault) -> State {
        var state = start
        stream.pointee.next_in = UnsafeMutablePointer(mutating: input.assumingMemoryBound(to: UInt8.self).baseAddress)
        stream.pointee.avail_in = UInt32(input.count)
        while true {
            // A last block need not be the message's last (RFC 7692 section 7.2.3.4), nor a member the body's.
            if state == .ended {
                guard format.isRepeatable, inflateReset(stream) == Z_OK else { throw .corrupt }
            }
            if output.count == output.memory.count { output.grow(limit: limit) }
            let room = output.memory.count - output.count
            stream.pointee.next_out = output.next
            // `UInt32` is what zlib counts in; no message is as large.
            stream.pointee.avail_out = UInt32(clamping: room)
            let given = Int(stream.pointee.avail_out)
            let result = CZlib.inflate(stream, Z_SYNC_FLUSH)
            output.count += given - Int(stream.pointee.avail_out)
            guard output.count <= limit else { throw .tooLarge }
            switch result {
            case Z_STREAM_END:
                state = .ended
            case Z_OK, Z_BUF_ERROR:
                // zlib tells where it stands: 128 behind a block, 64 in the last one, and how many bits it holds.
                state = stream.pointee.data_type == 128 ? .betweenBlocks : .withinBlock
            default:
                throw .corrupt
            }
            if stream.pointee.avail_in == 0, state == .ended || stream.pointee.avail_out > 0 { return state }
            // No progress, though there is room and input.
            if result == Z_BUF_ERROR, stream.pointee.avail_out > 0 { throw .corrupt }
        }
    }

    /// What has come out so far.
    private struct Output {
        private(set) var memory: UnsafeMutableRawBufferPointer
        var count = 0
        private var isOwn = false

        init(_ usual: UnsafeMutableRawBufferPointer) {
            memory = usual
        }

        var next: UnsafeMutablePointer<UInt8>? {
            UnsafeMutableRawBufferPointer(rebasing: memory[count...]).assumingMemoryBound(to: UInt8.self).baseAddress
        }

        mutating func grow(limit: Int) {
            // One more byte than allowed tells what is too large from what just fits.
            let larger = UnsafeMutableRawBufferPointer.allocate(
                byteCount: min(memory.count * 2, limit + 1),
                alignment: 16
            )
            larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: memory[..<count]))
            release()
            memory = larger
            isOwn = true
        }

        func release() {
            if isOwn { memory.deallocate() }
        }
    }
}
