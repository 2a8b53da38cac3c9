/// A key as most clients write it, with quotes and colon and without whitespace: `"topic":`.
///
/// The start of a text is compared with it as one integer. A match needs no further check. A text that does not match
/// may still contain the same key, written in another way.
struct WrittenKey {
    let field: CommandField
    /// Including the quotes and the colon; at most 16.
    let size: Int
    private let text: UInt128
    private let mask: UInt128

    /// The optimizer turns this into constants.
    @inline(__always)
    init(_ field: CommandField, _ literal: StaticString) {
        self.field = field
        size = literal.utf8CodeUnitCount
        var (text, mask) = (UInt128(0), UInt128(0))
        for index in 0..<size {
            let shift = UInt128(truncatingIfNeeded: index &* 8)
            text |= UInt128(literal.utf8Start[index]) &<< shift
            mask |= 0xFF &<< shift
        }
        self.text = text
        self.mask = mask
    }

    @inline(__always)
    func starts(_ other: UInt128) -> Bool {
        other & mask == text
    }

    /// The key of a command, or of its `message`, at the start of 16 bytes.
    @inline(__always)
    static func first(in bytes: UInt128, isOfMessage: Bool) -> WrittenKey? {
        if isOfMessage {
            let id = WrittenKey(.messageID, #""id":"#)
            if id.starts(bytes) { return id }
            let payload = WrittenKey(.payload, #""payload":"#)
            return payload.starts(bytes) ? payload : nil
        }
        let type = WrittenKey(.type, #""type":"#)
        if type.starts(bytes) { return type }
        let topic = WrittenKey(.topic, #""topic":"#)
        if topic.starts(bytes) { return topic }
        let message = WrittenKey(.message, #""message":"#)
        if message.starts(bytes) { return message }
        let requestID = WrittenKey(.requestID, #""request_id":"#)
        return requestID.starts(bytes) ? requestID : nil
    }
}
