import ApusProtocol
import Foundation

/// A JSON value, stored as its original text.
///
/// Payloads pass through a client byte for byte as published. Parsing them into numbers and dictionaries would lose
/// digits, key order and spacing.
public struct JSONText: Sendable, Hashable, CustomStringConvertible {
    /// The original text.
    public let text: String

    public var description: String { text }

    /// Creates a value from text that is known to be one JSON value. The text is not checked.
    public init(unchecked text: String) {
        self.text = text
    }

    /// Creates a value from text; `nil` if the text is not one JSON value.
    public init?(parsing text: String) {
        var text = text
        guard text.withUTF8({ JSONDocument.isValid(UnsafeRawBufferPointer($0)) }) else { return nil }
        self.text = text
    }

    /// Encodes a value with Foundation's `JSONEncoder`, and throws its errors.
    public init(encoding value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        text = String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// The JSON string for `value`.
    public static func string(_ value: String) -> JSONText {
        JSONText(unchecked: jsonString(value))
    }

    /// The value if it is a string.
    public var stringValue: String? {
        guard text.utf8.first == UInt8(ascii: "\""), text.utf8.last == UInt8(ascii: "\""), text.utf8.count > 1 else {
            return nil
        }
        if !text.utf8.contains(UInt8(ascii: "\\")) { return String(text.dropFirst().dropLast()) }
        var text = text
        return text.withUTF8 { JSONDocument.string(of: UnsafeRawBufferPointer($0)) }
    }

    /// The value if it is an integer.
    public var integerValue: Int? { Int(text) }

    /// Decodes the value with Foundation's `JSONDecoder`, and throws its errors.
    public func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try JSONDecoder().decode(type, from: Data(text.utf8))
    }

    /// The elements of the value if it is an array; `nil` if it is none, or nests more than 1,024 levels deep.
    public var elements: [JSONText]? {
        var text = text
        return text.withUTF8 { utf8 in
            let bytes = UnsafeRawBufferPointer(utf8)
            return JSONDocument.elements(of: bytes)?.map { place in
                JSONText(unchecked: String(decoding: bytes[place], as: UTF8.self))
            }
        }
    }

    /// The members of the value if it is an object; `nil` if it is none, or nests more than 1,024 levels deep.
    ///
    /// Of a duplicate name, the last counts. Names that are not Unicode (a lone surrogate) are left out.
    public var members: [String: JSONText]? {
        var text = text
        return text.withUTF8 { utf8 in
            let bytes = UnsafeRawBufferPointer(utf8)
            guard let members = JSONDocument.members(of: bytes) else { return nil }
            var texts: [String: JSONText] = [:]
            for (name, value) in members {
                texts[name] = JSONText(unchecked: String(decoding: bytes[value], as: UTF8.self))
            }
            return texts
        }
    }
}

/// How text that a user typed becomes a payload.
public enum PayloadRule: Sendable, Hashable {
    /// JSON if the text is valid JSON, otherwise a string.
    case automatic
    /// Always a string.
    case string
    /// JSON; any other text is an error.
    case json

    /// The payload for `text`; `nil` if the rule requires JSON and the text is not JSON.
    public func payload(for text: String) -> JSONText? {
        switch self {
        case .automatic: JSONText(parsing: text) ?? .string(text)
        case .string: .string(text)
        case .json: JSONText(parsing: text)
        }
    }
}
