import ApusProtocol
import NIOCore

/// How a setting's values are written: parsed leniently, shown in one form.
struct ValueCodec<Value: Sendable>: Sendable {
    /// What a value must be, as a phrase that follows "is not".
    let expectation: String
    let read: @Sendable (String) -> Value?
    let show: @Sendable (Value) -> DisplayValue
}

extension ValueCodec where Value == Int {
    static func whole(_ range: ClosedRange<Int>) -> ValueCodec {
        ValueCodec(
            expectation: "a whole number from \(range.lowerBound) to \(range.upperBound)",
            read: { text in Int(text).flatMap { range.contains($0) ? $0 : nil } },
            show: { .number($0) }
        )
    }

    static var port: ValueCodec { whole(0...65535) }

    /// The permissions of a file, as in chmod(1).
    static var mode: ValueCodec {
        ValueCodec(
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
    static func word(synonyms: [String: Value] = [:]) -> ValueCodec {
        ValueCodec(
            expectation: "one of " + Value.allCases.map(\.rawValue).joined(separator: ", "),
            read: { text in
                let word = text.lowercased()
                return Value(rawValue: word) ?? synonyms[word]
            },
            show: { .word($0.rawValue) }
        )
    }
}

extension ValueCodec where Value == String {
    static var host: ValueCodec {
        ValueCodec(
            expectation: "an IP address or a host name",
            read: { text in
                // The log and URLs write an IPv6 address in brackets.
                if text.hasPrefix("["), text.hasSuffix("]"), text.contains(":") {
                    let address = String(text.dropFirst().dropLast())
                    return isHost(address) ? address : nil
                }
                return isHost(text) ? text : nil
            },
            show: { .text($0) }
        )
    }

    /// The prefix of all paths: empty, or `/apus` without a slash at its end.
    static var basePath: ValueCodec {
        ValueCodec(
            expectation: "a path such as /apus, of letters, digits and any of - . _ ~, that does not end in /v1 or /ws",
            read: { text in
                let path = text.hasSuffix("/") ? String(text.dropLast()) : text
                return path.isEmpty || isBasePath(path) ? path : nil
            },
            show: { .text($0) }
        )
    }

    private static func isBasePath(_ path: String) -> Bool {
        guard path.hasPrefix("/"), path.utf8.count <= 255 else { return false }
        let segments = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        // In a server's URL, these two words name the dialect and the endpoint.
        guard let last = segments.last, !["v1", "ws"].contains(last) else { return false }
        return segments.allSatisfy { segment in
            !segment.isEmpty && segment != "." && segment != ".." && segment.utf8.allSatisfy(isUnreserved)
        }
    }

    /// Whether a byte of a path is never percent-encoded (RFC 3986 section 2.3).
    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }

    private static func isHost(_ text: String) -> Bool {
        guard (1...253).contains(text.utf8.count) else { return false }
        if text.contains(":") {
            // The zone names an interface and is not part of the address.
            let address = text.prefix { $0 != "%" }
            return (try? SocketAddress(ipAddress: String(address), port: 0)) != nil
        }
        if text.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }) {
            return (try? SocketAddress(ipAddress: text, port: 0)) != nil
        }
        return text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }
}
