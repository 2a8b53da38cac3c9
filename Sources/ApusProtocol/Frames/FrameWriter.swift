import NIOCore

/// Writes one text frame of a known payload size piece by piece, without a check per piece.
///
/// The size is computed first, so that one reservation covers header and payload. Debug builds check every piece
/// against that size.
struct FrameWriter {
    private var pointer: UnsafeMutableRawPointer
    private let end: UnsafeMutableRawPointer

    @inline(__always)
    fileprivate init(pointer: UnsafeMutableRawPointer, payload: Int) {
        FrameHeader.write(.text, payload: payload, to: pointer)
        self.pointer = pointer + FrameHeader.size(payload: payload)
        self.end = self.pointer + payload
    }

    @inline(__always)
    mutating func put(_ text: StaticString) {
        put(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    @inline(__always)
    mutating func put(_ bytes: UnsafeRawBufferPointer) {
        assert(pointer + bytes.count <= end, "a frame's size was reckoned too small")
        guard let source = bytes.baseAddress else { return }
        pointer.copyMemory(from: source, byteCount: bytes.count)
        pointer += bytes.count
    }

    @inline(__always)
    mutating func put(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { put($0) }
    }

    @inline(__always)
    mutating func put(_ time: Timestamp) {
        assert(pointer + Timestamp.textSize <= end, "a frame's size was reckoned too small")
        withUnsafeBytes(of: time.text) { put($0) }
    }

    fileprivate func finish() {
        assert(pointer == end, "a frame's size was reckoned wrongly")
    }
}

extension ByteBuffer {
    /// Appends a text frame with exactly `payload` bytes, which `body` must write.
    @inline(__always)
    mutating func writeTextFrame(payload: Int, _ body: (inout FrameWriter) -> Void) {
        let total = FrameHeader.size(payload: payload) + payload
        if writableBytes < total { reserveCapacity(minimumWritableBytes: total) }
        let start = writerIndex
        // Passes the buffer's whole memory: restricting it to the writable part takes longer.
        withVeryUnsafeMutableBytes { memory in
            guard let base = memory.baseAddress else { return }
            var writer = FrameWriter(pointer: base + start, payload: payload)
            body(&writer)
            writer.finish()
        }
        moveWriterIndex(forwardBy: total)
    }
}

extension StaticString {
    @inline(__always)
    var size: Int { utf8CodeUnitCount }
}
