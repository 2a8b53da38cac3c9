public import NIOCore

/// Makes frames of messages for clients with permessage-deflate (RFC 7692): compressed where that is worth it.
///
/// One for each event loop. Bounded: two deflaters of some 40 kB, which are made when they are first needed, and
/// ``usual`` bytes for what they make.
public final class MessageCompressor {
    public struct Settings: Sendable, Equatable {
        /// Smaller messages go as they are.
        public var minimumSize: Int
        /// 1, the fastest, to 9, the smallest.
        public var level: Int

        public init(minimumSize: Int = 512, level: Int = 6) {
            self.minimumSize = minimumSize
            self.level = level
        }
    }

    /// What was compressed so far, in bytes.
    public struct Counters: Sendable, Equatable {
        public var messages: UInt64 = 0
        /// Before.
        public var input: UInt64 = 0
        /// After.
        public var output: UInt64 = 0

        public init() {}

        public static func += (left: inout Counters, right: Counters) {
            left.messages += right.messages
            left.input += right.input
            left.output += right.output
        }
    }

    private static let usual = 64 * 1024

    public let settings: Settings
    public private(set) var counters = Counters()
    private var deflaters: [DeflateWindow: Deflater] = [:]
    private var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)

    public init(_ settings: Settings) {
        self.settings = settings
    }

    deinit {
        memory.deallocate()
    }

    /// Appends `message` as one final frame, compressed if it is large enough and gets smaller by it.
    ///
    /// - Parameter always: whatever its size, and even if it gets larger.
    /// - Returns: whether it was compressed. A frame that was not is an ordinary one, which any client reads.
    @discardableResult
    public func append(
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

    /// In memory that is used again for the next message; `nil` when it would be no smaller.
    private func compress(
        _ message: UnsafeRawBufferPointer,
        for window: DeflateWindow,
        always: Bool
    ) -> UnsafeRawBufferPointer? {
        // At the worst a message is stored, in blocks with heads of 5 bytes.
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

/// How far back in a message a client can look for repetitions (RFC 7692 section 7.1.2.1).
///
/// Two for all clients, so that a message is compressed at most twice, whatever they ask for.
public enum DeflateWindow: UInt8, Sendable {
    /// 4 KiB, which nearly all clients can.
    case usual
    /// 256 bytes, the least there is.
    case narrow

    /// What zlib is told. It makes no use of a window's last 262 bytes, so that its 512 are 250.
    var bits: Int {
        switch self {
        case .usual: Deflater.windowBits
        case .narrow: 9
        }
    }
}
