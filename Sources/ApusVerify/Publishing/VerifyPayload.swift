import ApusClient

/// The payload of every message of a verification: its label, and padding that reveals damage.
struct VerifyPayload: Codable, Equatable {
    let stream: UInt32
    let seq: UInt32
    let size: Int
    let pad: String

    init(label: MessageLabel, size: Int) {
        stream = label.stream
        seq = label.sequence
        self.size = size
        pad = String(repeating: Character(Unicode.Scalar(Self.letter(label))), count: size)
    }

    var json: String {
        "{\"stream\":\(stream),\"seq\":\(seq),\"size\":\(size),\"pad\":\"\(pad)\"}"
    }

    /// The label; `nil` if the padding is damaged.
    var label: MessageLabel? {
        let label = MessageLabel(stream: stream, sequence: seq)
        guard pad.utf8.count == size, pad.utf8.allSatisfy({ $0 == Self.letter(label) }) else { return nil }
        return label
    }

    /// The label in a received payload; `nil` if the payload is not from this run, or is damaged.
    static func label(in payload: JSONText) -> MessageLabel? {
        guard let members = payload.members,
            let stream = members["stream"].flatMap({ UInt32($0.text) }),
            let sequence = members["seq"].flatMap({ UInt32($0.text) }),
            let size = members["size"]?.integerValue, let pad = members["pad"]?.text.utf8
        else { return nil }
        let label = MessageLabel(stream: stream, sequence: sequence)
        let letter = letter(label)
        // The text of the padding is between quotation marks.
        guard pad.count == size + 2, pad.dropFirst().dropLast().allSatisfy({ $0 == letter }) else { return nil }
        return label
    }

    private static func letter(_ label: MessageLabel) -> UInt8 {
        UInt8(ascii: "a") + UInt8((label.sequence &+ label.stream) % 26)
    }

    /// A UUID for the message. It is the same for the same seed, topic and label.
    static func id(seed: UInt64, topic: Int, label: MessageLabel) -> String {
        var random = ScheduleRandom(seed: seed, place: "topic \(topic)")
        let high = random.next()
        return hex(high) + hex(UInt64(label.stream) << 32 | UInt64(label.sequence))
    }

    private static func hex(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
