internal import CZlib

/// The gzip format (RFC 1952), for documents that are compressed once and sent many times.
package enum Gzip {
    /// Added to the window's size, this selects gzip's header and trailer (zlib's `deflateInit2`).
    private static let format: CInt = 16
    private static let memoryLevel: CInt = 8

    /// Compresses as well as zlib can; `nil` when zlib has no memory for that or `bytes` is too large for it.
    package static func compress(_ bytes: [UInt8]) -> [UInt8]? {
        var stream = z_stream()
        let result = deflateInit2_(
            &stream,
            Z_BEST_COMPRESSION,
            Z_DEFLATED,
            MAX_WBITS + format,
            memoryLevel,
            Z_DEFAULT_STRATEGY,
            ZLIB_VERSION,
            CInt(MemoryLayout<z_stream>.size)
        )
        guard result == Z_OK, let size = UInt32(exactly: bytes.count) else { return nil }
        defer { deflateEnd(&stream) }
        guard let room = UInt32(exactly: deflateBound(&stream, uLong(bytes.count))) else { return nil }
        var input = bytes
        return input.withUnsafeMutableBufferPointer { input in
            stream.next_in = input.baseAddress
            stream.avail_in = size
            let output = [UInt8](unsafeUninitializedCapacity: Int(room)) { output, count in
                stream.next_out = output.baseAddress
                stream.avail_out = room
                let isWhole = deflate(&stream, Z_FINISH) == Z_STREAM_END
                count = isWhole ? Int(room - stream.avail_out) : 0
            }
            return output.isEmpty ? nil : output
        }
    }
}
