import ApusProtocol

/// A reader of a client's frames (RFC 6455 section 5), with everything in memory: written once more, so that the
/// product's code is not its own judge.
struct PlainFrames {
    var rest: ArraySlice<UInt8>
    let maxMessage: Int
    /// Set where messages may be compressed.
    let inflater: Inflater?
    private(set) var messages: [Message] = []
    /// Whether the peer has closed, or broken a rule.
    private(set) var isOver = false
    private var collected: [UInt8]?
    private var isText = false
    private var isCompressed = false

    init(rest: ArraySlice<UInt8>, maxMessage: Int, inflater: Inflater?) {
        self.rest = rest
        self.maxMessage = maxMessage
        self.inflater = inflater
    }

    mutating func read() {
        while !isOver, let frame = next() {
            let isControl = frame.opcode >= 8
            if isControl {
                if frame.opcode == 8 { isOver = true }
            } else {
                take(frame)
            }
        }
    }

    private struct Frame {
        var isFinal: Bool
        var opcode: UInt8
        var isCompressed: Bool
        var payload: [UInt8]
    }

    /// The next whole frame; `nil` if there is none, or no frame may be like that.
    private mutating func next() -> Frame? {
        let bytes = Array(rest)
        guard bytes.count >= 2 else { return nil }
        let (opcode, reserved, short) = (bytes[0] & 15, bytes[0] & 0x70, Int(bytes[1] & 127))
        let isControl = opcode >= 8
        let isCompressed = reserved == 0x40 && inflater != nil && (opcode == 1 || opcode == 2)
        guard bytes[1] >= 128, reserved == 0 || isCompressed, [0, 1, 2, 8, 9, 10].contains(opcode),
            !isControl || bytes[0] >= 128 && short < 126
        else { return fail() }
        let width = short == 126 ? 2 : short == 127 ? 8 : 0
        guard bytes.count >= 2 + width else { return nil }
        let long = bytes[2..<(2 + width)].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let count = width == 0 ? UInt64(short) : long
        // The length is written as short as can be.
        guard width == 0 || long > (width == 2 ? 125 : 65_535), isControl || count <= UInt64(maxMessage) else {
            return fail()
        }
        let (start, end) = (6 + width, 6 + width + Int(count))
        guard bytes.count >= end else { return nil }
        let mask = bytes[(2 + width)..<start]
        let payload = bytes[start..<end].enumerated().map { $1 ^ mask[2 + width + $0 % 4] }
        rest = rest.dropFirst(end)
        return Frame(isFinal: bytes[0] >= 128, opcode: opcode, isCompressed: isCompressed, payload: payload)
    }

    private mutating func fail() -> Frame? {
        isOver = true
        return nil
    }

    private mutating func take(_ frame: Frame) {
        guard (frame.opcode == 0) == (collected != nil) else { return isOver = true }
        if frame.opcode != 0 { (isText, isCompressed) = (frame.opcode == 1, frame.isCompressed) }
        let bytes = (collected ?? []) + frame.payload
        guard bytes.count <= maxMessage else { return isOver = true }
        guard frame.isFinal else { return collected = bytes }
        collected = nil
        guard let message = isCompressed ? inflated(bytes) : bytes,
            !isText || String(validating: message, as: UTF8.self) != nil
        else { return isOver = true }
        messages.append(Message(bytes: message, isText: isText))
    }

    private func inflated(_ bytes: [UInt8]) -> [UInt8]? {
        bytes.withUnsafeBytes { try? inflater?.withInflated($0, limit: maxMessage) { Array($0) } }
    }
}
