/// Writes publishes: copies of the template with individual numbers.
struct PublishEncoder {
    private let template: [UInt8]
    private let mark: Int
    /// Each of these is -1 if the protocol does not have it.
    private let topicDigits: Int
    private let identifier: Int
    private let request: Int
    private let maskingKey: Int
    /// The state of xorshift64. Masking keys need not be secret here.
    private var random: UInt64

    init(_ template: PublishTemplate, topics: Int, seed: UInt64) {
        self.template = template.bytes
        mark = template.mark
        topicDigits = topics > 1 ? template.topicDigits ?? -1 : -1
        identifier = template.identifier ?? -1
        request = template.request ?? -1
        maskingKey = template.maskingKey ?? -1
        random = seed | 1
    }

    /// The size of a publish in bytes.
    var byteCount: Int { template.count }

    /// Appends a publish.
    ///
    /// - Parameter number: the number of the publisher's message, over all topics.
    @inline(__always)
    mutating func encode(_ what: LoadMark, topic: Int, number: UInt64, to room: ByteRoom) {
        let bytes = room.append(template.count)
        template.withUnsafeBytes { bytes.copyMemory(from: $0.baseAddress.unsafelyUnwrapped, byteCount: $0.count) }
        what.write(to: bytes + mark)
        if topicDigits >= 0 { Self.writeDecimal(topic, digits: LoadTopics.digits, to: bytes + topicDigits) }
        if identifier >= 0 { Self.writeIdentifier(publisher: what.publisher, number: number, to: bytes + identifier) }
        if request >= 0 { HexDigits.write(number, to: bytes + request) }
        if maskingKey >= 0 {
            let key = nextRandom()
            bytes.storeBytes(of: key, toByteOffset: maskingKey, as: UInt32.self)
            let masked = UnsafeMutableRawBufferPointer(
                start: bytes + maskingKey + 4,
                count: template.count - maskingKey - 4
            )
            WebSocketClient.mask(masked, key: key)
        }
    }

    private mutating func nextRandom() -> UInt32 {
        random ^= random << 13
        random ^= random >> 7
        random ^= random << 17
        return UInt32(truncatingIfNeeded: random >> 16)
    }

    /// The publisher in the first eight digits, the number in the last twelve.
    private static func writeIdentifier(publisher: Int, number: UInt64, to bytes: UnsafeMutableRawPointer) {
        bytes.storeBytes(of: HexDigits.digits(UInt32(truncatingIfNeeded: publisher)).littleEndian, as: UInt64.self)
        let upper = HexDigits.digits(UInt32(truncatingIfNeeded: number >> 32) & 0xFFFF) >> 32
        bytes.storeBytes(of: UInt32(truncatingIfNeeded: upper).littleEndian, toByteOffset: 24, as: UInt32.self)
        let lower = HexDigits.digits(UInt32(truncatingIfNeeded: number)).littleEndian
        bytes.storeBytes(of: lower, toByteOffset: 28, as: UInt64.self)
    }

    private static func writeDecimal(_ value: Int, digits: Int, to bytes: UnsafeMutableRawPointer) {
        var rest = value
        for place in stride(from: digits - 1, through: 0, by: -1) {
            let (quotient, remainder) = rest.quotientAndRemainder(dividingBy: 10)
            bytes.storeBytes(of: UInt8(48 + remainder), toByteOffset: place, as: UInt8.self)
            rest = quotient
        }
    }
}
