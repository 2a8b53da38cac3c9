import ApusProtocol

/// How a setting's values are written: parsed leniently, shown in one form.
struct ValueCodec<Value: Sendable>: Sendable {
    /// What stands for a value in a help text, such as `count`.
    let valueName: String
    var isSecret = false
    var isList = false
    /// Whether a file may use lists and mappings as the value.
    var isStructured = false
    let read: @Sendable (RawValue) throws(ValueFault) -> Value
    let show: @Sendable (Value) -> DisplayValue
}

/// Why a value is not accepted, as a phrase that follows the value.
struct ValueFault: Error {
    let reason: String
}

extension ValueCodec {
    /// The codec of a value that is one text.
    ///
    /// - Parameter expectation: what a value must be, as a phrase that follows "is not".
    init(
        _ valueName: String,
        expectation: String,
        read: @escaping @Sendable (String) -> Value?,
        show: @escaping @Sendable (Value) -> DisplayValue
    ) {
        self.init(
            valueName: valueName,
            read: { raw throws(ValueFault) in
                guard case .text(let text) = raw, let value = read(text.trimmed) else {
                    throw ValueFault(reason: "is not \(expectation)")
                }
                return value
            },
            show: show
        )
    }
}

extension ValueCodec where Value == Int {
    static func whole(_ range: ClosedRange<Int>, _ valueName: String = "count") -> ValueCodec {
        ValueCodec(
            valueName,
            expectation: "a whole number from \(range.lowerBound) to \(range.upperBound)",
            read: { text in Int(text).flatMap { range.contains($0) ? $0 : nil } },
            show: { .number($0) }
        )
    }

    static var port: ValueCodec { whole(0...65535, "number") }

    /// The permissions of a file, as in chmod(1).
    static var mode: ValueCodec {
        ValueCodec(
            "mode",
            expectation: "an octal number from 0000 to 0777, such as 0660",
            read: { text in
                let digits = text.hasPrefix("0o") ? text.dropFirst(2) : text[...]
                guard (1...4).contains(digits.count), digits.allSatisfy({ ("0"..."7").contains($0) }) else {
                    return nil
                }
                return Int(digits, radix: 8).flatMap { $0 <= 0o777 ? $0 : nil }
            },
            show: { mode in
                let digits = String(mode, radix: 8)
                return .word(String(repeating: "0", count: max(4 - digits.count, 0)) + digits)
            }
        )
    }

    /// A size in bytes: `1048576`, `64KiB`, `1MB`.
    static func size(_ range: ClosedRange<Int>) -> ValueCodec {
        let (low, high) = (ByteSize.text(range.lowerBound), ByteSize.text(range.upperBound))
        return ValueCodec(
            "size",
            expectation: "a size in bytes from \(low) to \(high), such as 65536, 64KiB or 1MiB",
            read: { text in ByteSize.bytes(text).flatMap { range.contains($0) ? $0 : nil } },
            show: { .size($0) }
        )
    }
}

extension ValueCodec where Value == Duration {
    /// The longest duration of any setting, in milliseconds. Longer values are mistakes in the unit.
    private static var longest: Int64 { 86_400_000 }

    /// - Parameters:
    ///   - shortest: the shortest duration, in milliseconds.
    ///   - zero: whether 0 is also allowed.
    static func duration(shortest: Int64 = 10, zero: Bool) -> ValueCodec {
        let range = shortest...longest
        let limits = "a duration from \(DurationText.text(shortest)) to 24h, such as 500ms, 25s, 2m or 1h"
        return ValueCodec(
            "time",
            expectation: zero && shortest > 0 ? "0 or \(limits)" : limits,
            read: { text in
                guard let milliseconds = DurationText.milliseconds(text) else { return nil }
                let fits = range.contains(milliseconds) || (zero && milliseconds == 0)
                return fits ? .milliseconds(milliseconds) : nil
            },
            show: { value in
                let (seconds, attoseconds) = value.components
                return .word(DurationText.text(seconds * 1000 + attoseconds / 1_000_000_000_000_000))
            }
        )
    }
}

extension ValueCodec where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    /// One of a few words, ignoring case. For example, LOG_LEVEL is also written INFO.
    static func word(_ valueName: String, synonyms: [String: Value] = [:]) -> ValueCodec {
        ValueCodec(
            valueName,
            expectation: "one of " + Value.allCases.map(\.rawValue).joined(separator: ", "),
            read: { text in
                let word = text.lowercased()
                return Value(rawValue: word) ?? synonyms[word]
            },
            show: { .word($0.rawValue) }
        )
    }
}

extension ValueCodec where Value == Bool {
    static var onOff: ValueCodec {
        ValueCodec(
            "switch",
            expectation: "one of on, off",
            read: { ["on": true, "true": true, "off": false, "false": false][$0.lowercased()] },
            show: { .word($0 ? "on" : "off") }
        )
    }
}
