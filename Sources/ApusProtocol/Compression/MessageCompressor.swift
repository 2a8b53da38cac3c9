package import NIOCore

/// Frames messages for clients with permessage-deflate (RFC 7692), compressed if that is worth it.
///
/// There is one for each event loop. It holds at most two deflaters of some 40 kB each, created on first use, and an
/// output buffer of ``usual`` bytes.
package final class MessageCompressor {
    package struct Settings: Sendable, Equatable {
        /// Messages below this size in bytes stay uncompressed.
        package var minimumSize: Int
        /// 1, the fastest, to 9, the smallest.
        package var level: Int

        package init(minimumSize: Int = 512, level: Int = 6) {
            self.minimumSize = minimumSize
            self.level = level
        }
    }

    /// Totals of compressed messages; sizes in bytes.
    package struct Counters: Sendable, Equatable {
        package var messages: UInt64 = 0
        /// Bytes before compression.
        package var input: UInt64 = 0
        /// Bytes after compression.
        package var output: UInt64 = 0

        package init() {}

        package static func += (left: inout Counters, right: Counters) {
            left.messages += right.messages
            left.input += right.input
            left.output += right.output
        }
    }

    private static let usual = 64 * 1024

    package let settings: Settings
    package private(set) var counters = Counters()
    private var deflaters: [DeflateWindow: Deflater] = [:]
    private var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)

    package init(_ settings: Settings) {
        self.settings = settings
    }

    deinit {
        memory.deallocate()
    }

    /// Appends `message` as one final frame, compressed if it is large enough and compression makes it smaller.
    ///
    /// - Parameter always: compresses whatever the size, even if the result is larger.
    /// - Returns: whether the frame is compressed. Otherwise it is an ordinary frame, which any client can read.
    @discardableResult
    package func append(
        _ message: UnsafeRawBufferPointer,
        as opcode: Opcode = .text,
        for window: DeflateWindow,
        always: Bool = false,
        to buffer: inout ByteBuffer
    ) -> Bool {
        let isTried = always || message.count >= settings.minimumSize
        let compressed = isTried ? compress(message, for: window, always: always) : nil
        let payload = compressed ?? message
        let size = FrameHeader.size(payload: payload.count)
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: size + payload.count) { space in
            guard let base = space.baseAddress else { return 0 }
            FrameHeader.write(opcode, payload: payload.count, isCompressed: compressed != nil, to: base)
            if let source = payload.baseAddress { (base + size).copyMemory(from: source, byteCount: payload.count) }
            return size + payload.count
        }
        if memory.count > Self.usual { release() }
        return compressed != nil
    }

    /// Compresses into memory that the next message reuses; `nil` when the result would not be smaller.
    private func compress(
        _ message: UnsafeRawBufferPointer,
        for window: DeflateWindow,
        always: Bool
    ) -> UnsafeRawBufferPointer? {
        // In the worst case a message is stored uncompressed, in blocks with headers of 5 bytes.
        let room = message.count + (always ? message.count / 8 + 64 : Deflater.tailSize)
        if memory.count < room {
            release()
            memory = .allocate(byteCount: max(room, Self.usual), alignment: 16)
        }
        let target = UnsafeMutableRawBufferPointer(rebasing: memory[..<room])
        guard let count = deflater(for: window).deflate(message, into: target), always || count < message.count else {
            return nil
        }
        counters.messages += 1
        counters.input += UInt64(message.count)
        counters.output += UInt64(count)
        return UnsafeRawBufferPointer(rebasing: target[..<count])
    }

    private func deflater(for window: DeflateWindow) -> Deflater {
        if let known = deflaters[window] { return known }
        let deflater = Deflater(level: settings.level, windowBits: window.bits)
        deflaters[window] = deflater
        return deflater
    }

    private func release() {
        memory.deallocate()
        memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    }
}

/// How far back in a message a client can refer to repetitions (RFC 7692 section 7.1.2.1).
///
/// There are two windows for all clients. A message is therefore compressed at most twice, whatever clients ask for.
package enum DeflateWindow: UInt8, Sendable {
    /// 4 KiB, which nearly all clients support.
    case usual
    /// 256 bytes, the smallest window.
    case narrow

    /// zlib's `windowBits` argument. zlib does not use the last 262 bytes of a window, so its 512 bytes act as 250.
    var bits: Int {
        switch self {
        case .usual: Deflater.windowBits
        case .narrow: 9
        }
    }
}
