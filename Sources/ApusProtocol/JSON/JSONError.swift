/// Why Apus does not accept a text as JSON, and where.
struct JSONError: Error, Equatable {
    enum Reason: UInt8 {
        case unexpectedByte, unexpectedEnd, controlCharacter, invalidEscape, invalidNumber, trailingBytes, tooDeep
    }

    var reason: Reason
    /// The position of the faulty byte, counted from 0.
    var offset: Int
}

extension JSONError: CustomStringConvertible {
    /// The text for the client, about a command.
    var description: String { text(of: "command") }

    /// The text for the client.
    ///
    /// - Parameter whole: what the text should be one of.
    func text(of whole: String) -> String {
        switch reason {
        case .unexpectedByte: "not valid JSON: unexpected character at byte \(offset)"
        case .unexpectedEnd: "not valid JSON: it ends too early, at byte \(offset)"
        case .controlCharacter: "not valid JSON: a control character in a string must be escaped, at byte \(offset)"
        case .invalidEscape: "not valid JSON: no such escape in a string, at byte \(offset)"
        case .invalidNumber: "not valid JSON: malformed number at byte \(offset)"
        case .trailingBytes: "not valid JSON: something follows the \(whole), at byte \(offset)"
        case .tooDeep: "nested too deep, at byte \(offset)"
        }
    }
}
