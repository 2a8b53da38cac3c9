internal import CZlib

/// Decompresses messages and bodies one by one, with a size limit.
///
/// One inflater serves the messages of all connections of an event loop. Clients are told `client_no_context_takeover`,
/// so a connection has no state between its messages. With context takeover, zlib would hold 40 kB for each connection
/// that has ever sent a compressed message.
///
/// Belongs to one thread. It keeps zlib's state and an output buffer of ``usual`` bytes. A larger message gets memory
/// of its own, at most twice its size, while it is read.
package final class Inflater {
    /// Why a message cannot be decompressed.
    package enum Fault: Error, Equatable {
        /// The data is not DEFLATE data (RFC 1951), or is truncated.
        case corrupt
        /// The message exceeds the limit.
        case tooLarge
    }

    /// The format around the DEFLATE data (RFC 1951), and where the data ends.
    package enum Format: Sendable {
        /// A WebSocket message, without the end of its last block (RFC 7692 section 7.2.2).
        case message
        /// One gzip member or several (RFC 1952).
        case gzip
        /// The zlib format (RFC 1950).
        case zlib
        /// Bare DEFLATE data.
        case raw

        /// zlib's `windowBits` argument. The largest window can read data written with any window.
        fileprivate var windowBits: CInt {
            switch self {
            case .message, .raw: -15
            case .gzip: 15 + 16
            case .zlib: 15
            }
        }

        /// Whether another stream may follow after a last block.
        fileprivate var isRepeatable: Bool { self == .message || self == .gzip }
    }

    static let usual = 64 * 1024

    private let format: Format
    private let stream: UnsafeMutablePointer<z_stream>
    private let usualOutput: UnsafeMutableRawBufferPointer

    package init(_ format: Format = .message) {
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

    /// Decompresses `compressed` and passes the result to `body`. The memory is valid until `body` returns.
    ///
    /// Decompression stops at `limit` bytes, however large the result would be.
    ///
    /// - Throws: ``Fault``.
    package func withInflated<Result>(
        _ compressed: UnsafeRawBufferPointer,
        limit: Int,
        _ body: (UnsafeRawBufferPointer) -> Result
    ) throws(Fault) -> Result {
        // Strictly, a compressed message has at least one byte. Some clients send none for an empty message.
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
        // A message may end with a last block, though strictly one more byte should follow (RFC 7692 section 7.2.3.4).
        if state != .ended {
            guard format == .message else { throw .corrupt }
            try inflateTail(to: &output, limit: limit, from: state)
        }
        return body(UnsafeRawBufferPointer(rebasing: output.memory[..<output.count]))
    }

    /// In a complete message, the tail is an empty block. In a truncated message, it decodes as something else.
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
        /// After a block that is marked as the last.
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
            // A last block need not end the message (RFC 7692 section 7.2.3.4), and a gzip member need not end the
            // body.
            if state == .ended {
                guard format.isRepeatable, inflateReset(stream) == Z_OK else { throw .corrupt }
            }
            if output.count == output.memory.count { output.grow(limit: limit) }
            let room = output.memory.count - output.count
            stream.pointee.next_out = output.next
            // zlib counts in `UInt32`. No message is that large.
            stream.pointee.avail_out = UInt32(clamping: room)
            let given = Int(stream.pointee.avail_out)
            let result = CZlib.inflate(stream, Z_SYNC_FLUSH)
            output.count += given - Int(stream.pointee.avail_out)
            guard output.count <= limit else { throw .tooLarge }
            switch result {
            case Z_STREAM_END:
                state = .ended
            case Z_OK, Z_BUF_ERROR:
                // zlib reports its state: 128 after a block, 64 in the last block, plus the number of bits it holds.
                state = stream.pointee.data_type == 128 ? .betweenBlocks : .withinBlock
            default:
                throw .corrupt
            }
            if stream.pointee.avail_in == 0, state == .ended || stream.pointee.avail_out > 0 { return state }
            // No progress, although there is room and input.
            if result == Z_BUF_ERROR, stream.pointee.avail_out > 0 { throw .corrupt }
        }
    }

    /// The output so far.
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
            // One byte more than allowed tells a result that is too large from one that just fits.
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
