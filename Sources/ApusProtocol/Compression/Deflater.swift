internal import CZlib

/// Compresses messages one by one, each without regard to those before it (RFC 7692 section 7.2.1).
///
/// That is what `server_no_context_takeover` stands for: a message's bytes are the same for everybody, whenever he
/// came. The memory, some 40 kB, is used again for each message. Belongs to one thread.
final class Deflater {
    /// How far back a repetition may lie, as an exponent of two.
    ///
    /// With 12 and ``memoryLevel`` 5 all state fits into a processor's nearest cache: measured with zlib 1.2.13 a
    /// kilobyte of JSON takes 18 µs instead of the 25 µs with 15 and 8, and is not a byte longer; 64 KiB take 540 µs
    /// instead of 640 µs for 1 % more. Many clients ask for 12 anyway.
    static let windowBits = 12
    /// How much memory there is for what a block is made of (zlib's `memLevel`).
    private static let memoryLevel = 5
    /// What every flush ends in, and no message does (RFC 7692 section 7.2.1).
    static var tail: UInt32 { UInt32(littleEndian: 0xFFFF_0000) }
    static var tailSize: Int { 4 }

    // zlib notes where its state lies, so it must not move.
    private let stream: UnsafeMutablePointer<z_stream>

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
    /// - Returns: how many bytes it takes there, or `nil` when it does not fit. ``tail`` needs room as well, and more;
    ///   it is not counted.
    func deflate(_ message: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) -> Int? {
        guard deflateReset(stream) == Z_OK, let size = UInt32(exactly: message.count),
            let room = UInt32(exactly: target.count)
        else { return nil }
        // zlib does not write to what it reads; its header of this age does not say so.
        stream.pointee.next_in = UnsafeMutablePointer(mutating: message.assumingMemoryBound(to: UInt8.self).baseAddress)
        stream.pointee.avail_in = size
        stream.pointee.next_out = target.assumingMemoryBound(to: UInt8.self).baseAddress
        stream.pointee.avail_out = room
        defer {
            stream.pointee.next_in = nil
            stream.pointee.next_out = nil
        }
        // With room left the flush is complete.
        guard CZlib.deflate(stream, Z_SYNC_FLUSH) == Z_OK, stream.pointee.avail_in == 0, stream.pointee.avail_out > 0
        else { return nil }
        return target.count - Int(stream.pointee.avail_out) - Self.tailSize
    }
}
