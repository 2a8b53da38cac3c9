/// Makes text safe for one line of a terminal or a log.
enum PlainText {
    /// Whether a scalar would end the line or control a terminal: C0 and C1 controls, DEL, and Unicode's line
    /// separators.
    static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F...0x9F, 0x2028, 0x2029: true
        default: false
        }
    }

    /// The text with unsafe scalars as JSON escapes, cut after `limit` characters.
    static func escaped(_ text: String, limit: Int = .max) -> String {
        var result = ""
        let kept = text.count > limit ? text.prefix(limit) : text[...]
        for scalar in kept.unicodeScalars {
            isUnsafe(scalar) ? appendEscape(of: scalar, to: &result) : result.unicodeScalars.append(scalar)
        }
        return kept.endIndex < text.endIndex ? result + "…" : result
    }

    /// The text as a quoted JSON string, which is also valid YAML.
    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            if scalar == "\"" || scalar == "\\" {
                result += "\\"
                result.unicodeScalars.append(scalar)
            } else if isUnsafe(scalar) {
                appendEscape(of: scalar, to: &result)
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    private static func appendEscape(of scalar: Unicode.Scalar, to result: inout String) {
        switch scalar {
        case "\n": result += "\\n"
        case "\r": result += "\\r"
        case "\t": result += "\\t"
        default:
            // Every unsafe scalar is below U+10000, so it needs no surrogates.
            let digits = String(scalar.value, radix: 16)
            result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }
    }
}

extension StringProtocol {
    /// The text without surrounding white space.
    package var trimmed: String {
        let start = drop(while: \.isWhitespace)
        let end = start.reversed().drop(while: \.isWhitespace).startIndex.base
        return String(start[..<end])
    }
}
