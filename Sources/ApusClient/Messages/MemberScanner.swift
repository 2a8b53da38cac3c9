/// Splits a JSON object into its members without parsing their values.
///
/// It follows only strings and brackets, in one pass and without recursion. Text that is not an object gives `nil`.
struct MemberScanner {
    private let bytes: UnsafeBufferPointer<UInt8>
    private var index = 0

    init(bytes: UnsafeBufferPointer<UInt8>) {
        self.bytes = bytes
    }

    mutating func members() -> [String: JSONText]? {
        var members: [String: JSONText] = [:]
        skipSpace()
        guard take(UInt8(ascii: "{")) else { return nil }
        skipSpace()
        if take(UInt8(ascii: "}")) { return atEnd ? members : nil }
        while true {
            skipSpace()
            let nameStart = index
            guard skipString(), let name = text(from: nameStart).stringValue else { return nil }
            skipSpace()
            guard take(UInt8(ascii: ":")) else { return nil }
            skipSpace()
            let valueStart = index
            guard skipValue() else { return nil }
            members[name] = text(from: valueStart)
            skipSpace()
            if take(UInt8(ascii: ",")) { continue }
            return take(UInt8(ascii: "}")) && atEnd ? members : nil
        }
    }

    private func text(from start: Int) -> JSONText {
        JSONText(unchecked: String(decoding: bytes[start..<index], as: UTF8.self))
    }

    private var atEnd: Bool {
        bytes[index...].allSatisfy(Self.isSpace)
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
    }

    private mutating func skipSpace() {
        while index < bytes.count, Self.isSpace(bytes[index]) { index += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard index < bytes.count, bytes[index] == byte else { return false }
        index += 1
        return true
    }

    private mutating func skipString() -> Bool {
        guard take(UInt8(ascii: "\"")) else { return false }
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\""):
                index += 1
                return true
            case UInt8(ascii: "\\"):
                index += 2
            default:
                index += 1
            }
        }
        return false
    }

    private mutating func skipValue() -> Bool {
        var depth = 0
        let start = index
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\""):
                guard skipString() else { return false }
                if depth == 0 { return true }
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                index += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                if depth == 0 { return index > start }
                depth -= 1
                index += 1
                if depth == 0 { return true }
            case let byte:
                if depth == 0, byte == UInt8(ascii: ",") || Self.isSpace(byte) { return index > start }
                index += 1
            }
        }
        return depth == 0 && index > start
    }
}
