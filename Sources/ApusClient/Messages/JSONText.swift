import ApusProtocol
import Foundation

/// A JSON value, kept as the text it is written in.
///
/// Payloads pass through a client byte for byte as they were published; parsing them into numbers and dictionaries
/// would lose digits, key order and spacing.
public struct JSONText: Sendable, Hashable, CustomStringConvertible {
    /// The text, as it was written.
    public let text: String

    public var description: String { text }

    /// Takes text that is known to be one JSON value.
    public init(unchecked text: String) {
        self.text = text
    }

    /// Takes text if it is one JSON value.
    public init?(parsing text: String) {
        var text = text
        guard text.withUTF8({ JSONDocument.isValid(UnsafeRawBufferPointer($0)) }) else { return nil }
        self.text = text
    }

    /// Encodes a value with Foundation's encoder; throws what that throws.
    public init(encoding value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        text = String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// The JSON string for `value`.
    public static func string(_ value: String) -> JSONText {
        var escaped: [UInt8] = [UInt8(ascii: "\"")]
        escaped.reserveCapacity(value.utf8.count + 2)
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): escaped += [UInt8(ascii: "\\"), byte]
            case 0x0A: escaped += Array("\\n".utf8)
            case 0x0D: escaped += Array("\\r".utf8)
            case 0x09: escaped += Array("\\t".utf8)
            case 0..<0x20: escaped += Array((byte < 16 ? "\\u000" : "\\u00").utf8) + Array(String(byte, radix: 16).utf8)
            default: escaped.append(byte)
            }
        }
        escaped.append(UInt8(ascii: "\""))
        return JSONText(unchecked: String(decoding: escaped, as: UTF8.self))
    }

    /// The value if it is a string.
    public var stringValue: String? {
        guard text.utf8.first == UInt8(ascii: "\""), text.utf8.last == UInt8(ascii: "\""), text.utf8.count > 1 else {
            return nil
        }
        if !text.utf8.contains(UInt8(ascii: "\\")) { return String(text.dropFirst().dropLast()) }
        return try? decode(String.self)
    }

    /// The value if it is an integer.
    public var integerValue: Int? { Int(text) }

    /// Decodes the value with Foundation's decoder.
    public func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try JSONDecoder().decode(type, from: Data(text.utf8))
    }

    /// The members of the value if it is an object; of a name that comes twice, the last.
    ///
    /// Looks only as far into the members' values as it takes to find their ends.
    public var members: [String: JSONText]? {
        var text = text
        return text.withUTF8 { bytes in
            var scanner = MemberScanner(bytes: bytes)
            return scanner.members()
        }
    }
}

/// How the text that somebody typed becomes a payload.
public enum PayloadRule: Sendable, Hashable {
    /// JSON if it is JSON, a string otherwise.
    case automatic
    /// Always a string.
    case string
    /// JSON, or an error.
    case json

    /// The payload for `text`; nil when the rule demands JSON and it is none.
    public func payload(for text: String) -> JSONText? {
        switch self {
        case .automatic: JSONText(parsing: text) ?? .string(text)
        case .string: .string(text)
        case .json: JSONText(parsing: text)
        }
    }
}
