internal import CZlib

/// Compresses messages one by one, each independently of earlier messages (RFC 7692 section 7.2.1).
///
/// This is what `server_no_context_takeover` means: a compressed message is the same for every client, whenever the
/// client connected. Each message reuses the same memory, some 40 kB. Belongs to one thread.
final class Deflater {
    /// The size of the window for repetitions, as an exponent of two.
    ///
    /// With 12 and ``memoryLevel`` 5, all state fits into a processor's innermost cache. Measured with zlib 1.2.13: a
    /// kilobyte of JSON takes 18 µs instead of 25 µs with 15 and 8, and is no larger. 64 KiB take 540 µs instead of 640
    /// µs, and are 1 % larger. Many clients ask for 12 anyway.
    static let windowBits = 12
    /// The memory for building a block (zlib's `memLevel`).
    private static let memoryLevel = 5
    /// The bytes that end every flush, which a message must omit (RFC 7692 section 7.2.1).
    static var tail: UInt32 { UInt32(littleEndian: 0xFFFF_0000) }
    static var tailSize: Int { 4 }

    // zlib stores the address of its state, so the state must not move.
    private let stream: UnsafeMutablePointer<z_stream>

    /// Allocates the compressor.
    ///
    /// - Parameters:
    ///   - level: 1, the fastest, to 9, the smallest.
    ///   - windowBits: 9 to 15.
    init(level: Int, windowBits: Int = Deflater.windowBits) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        let result = deflateInit2_(
            stream,
            CInt(level),
            Z_DEFLATED,
            -CInt(windowBits),
            CInt(Self.memoryLevel),
            Z_DEFAULT_STRATEGY,
            ZLIB_VERSION,
            CInt(MemoryLayout<z_stream>.size)
        )
        precondition(result == Z_OK, "zlib has no memory, or no level \(level) with a window of \(windowBits) bits")
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
    }

    /// Compresses `message` into `target`.
    ///
    /// - Returns: the size of the result in bytes, or `nil` when it does not fit. `target` must also have room for
    ///   ``tail`` and at least one byte more. The size includes neither.
    func deflate(_ message: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) -> Int? {
        guard deflateReset(stream) == Z_OK, let size = UInt32(exactly: message.count),
            let room = UInt32(exactly: target.count)
        else { return nil }
        // zlib does not write to its input, but the header of this version does not declare that.
        stream.pointee.next_in = UnsafeMutablePointer(mutating: message.assumingMemoryBound(to: UInt8.self).baseAddress)
        stream.pointee.avail_in = size
        stream.pointee.next_out = target.assumingMemoryBound(to: UInt8.self).baseAddress
        stream.pointee.avail_out = room
        defer {
            stream.pointee.next_in = nil
            stream.pointee.next_out = nil
        }
        // If room is left, the flush is complete.
        guard CZlib.deflate(stream, Z_SYNC_FLUSH) == Z_OK, stream.pointee.avail_in == 0, stream.pointee.avail_out > 0
        else { return nil }
        return target.count - Int(stream.pointee.avail_out) - Self.tailSize
    }
}
