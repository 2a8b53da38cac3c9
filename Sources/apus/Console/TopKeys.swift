/// Reads the keys of a terminal in raw mode from its bytes.
struct TopKeys {
    enum Key: Equatable {
        case text(Character)
        case enter, escape, backspace, up, down, left, right, pageUp, pageDown, home, end
    }

    private enum Mode: Equatable {
        case text
        case escape
        case sequence(String)
    }

    private var mode = Mode.text
    /// The first bytes of an incomplete character.
    private var partial: [UInt8] = []

    /// The key that this byte completes.
    mutating func feed(_ byte: UInt8) -> Key? {
        switch mode {
        case .escape:
            if byte == UInt8(ascii: "[") || byte == UInt8(ascii: "O") {
                mode = .sequence("")
                return nil
            }
            mode = byte == 0x1B ? .escape : .text
            return .escape
        case .sequence(let parameters):
            // Parameters come before the final byte (ECMA-48, 5.4).
            guard (0x40...0x7E).contains(byte) else {
                // No key has a longer sequence than this.
                mode = parameters.count < 16 ? .sequence(parameters + String(Unicode.Scalar(byte))) : .text
                return nil
            }
            mode = .text
            return Self.key(final: byte, parameters)
        case .text:
            return text(byte)
        }
    }

    /// What an escape alone means, once nothing has followed it.
    mutating func flush() -> Key? {
        guard mode == .escape else { return nil }
        mode = .text
        return .escape
    }

    private mutating func text(_ byte: UInt8) -> Key? {
        switch byte {
        case 0x0A, 0x0D: return .enter
        case 0x08, 0x7F: return .backspace
        case 0x1B:
            mode = .escape
            return nil
        case ..<0x20: return nil
        default:
            partial.append(byte)
            let character = String(validating: partial, as: UTF8.self)?.first
            // No character has more than four bytes.
            if character != nil || partial.count == 4 { partial = [] }
            return character.map(Key.text)
        }
    }

    private static func key(final: UInt8, _ parameters: String) -> Key? {
        switch (final, parameters) {
        case (UInt8(ascii: "A"), _): .up
        case (UInt8(ascii: "B"), _): .down
        case (UInt8(ascii: "C"), _): .right
        case (UInt8(ascii: "D"), _): .left
        case (UInt8(ascii: "H"), _), (UInt8(ascii: "~"), "1"): .home
        case (UInt8(ascii: "F"), _), (UInt8(ascii: "~"), "4"): .end
        case (UInt8(ascii: "~"), "5"): .pageUp
        case (UInt8(ascii: "~"), "6"): .pageDown
        default: nil
        }
    }
}
