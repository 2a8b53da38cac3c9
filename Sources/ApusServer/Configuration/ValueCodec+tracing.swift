import ApusProtocol

extension ValueCodec where Value == String {
    /// The address of a collector. Without a path, it is the one that OTLP/HTTP gives to traces.
    static var collector: ValueCodec {
        ValueCodec(
            "url",
            expectation: "an address such as http://127.0.0.1:4318/v1/traces or https://collector.example",
            read: { text in
                guard !text.isEmpty else { return "" }
                guard let scheme = ["http://", "https://"].first(where: text.hasPrefix), text.utf8.count <= 2048,
                    text.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
                else { return nil }
                let rest = text.dropFirst(scheme.count)
                let authority = rest.prefix { $0 != "/" }
                // A password belongs into a header field, which `config print` does not show.
                guard isAuthority(authority), !rest.contains("#") else { return nil }
                return rest.dropFirst(authority.count).drop { $0 == "/" }.isEmpty
                    ? "\(scheme)\(authority)/v1/traces" : text
            },
            show: { .text($0) }
        )
    }

    private static func isAuthority(_ text: Substring) -> Bool {
        var host = text
        if let colon = text.lastIndex(of: ":"), !text.hasSuffix("]") {
            guard let port = Int(text[text.index(after: colon)...]), (1...65535).contains(port) else { return false }
            host = text[..<colon]
        }
        guard !host.isEmpty else { return false }
        if host.hasPrefix("["), host.hasSuffix("]") {
            return host.dropFirst().dropLast().allSatisfy { $0.isHexDigit || $0 == ":" || $0 == "." }
        }
        return host.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }

    /// A name that is not empty.
    static var serviceName: ValueCodec {
        ValueCodec(
            "name",
            expectation: "a name of 1 to 256 bytes in one line",
            read: { text in
                (1...256).contains(text.utf8.count) && text.unicodeScalars.allSatisfy { $0.value >= 0x20 } ? text : nil
            },
            show: { .text($0) }
        )
    }
}

extension ValueCodec where Value == Double {
    /// A number from 0 to 1.
    static var ratio: ValueCodec {
        ValueCodec(
            "ratio",
            expectation: "a number from 0 to 1, such as 0.01",
            read: { text in Double(text).flatMap { (0...1).contains($0) ? $0 : nil } },
            show: { value in .word(Int(exactly: value).map { "\($0)" } ?? "\(value)") }
        )
    }
}

extension ValueCodec where Value == [String] {
    /// Header fields as `name=value`. They are secret: a credential is the usual one.
    static var headerFields: ValueCodec {
        ValueCodec(
            valueName: "name=value",
            isSecret: true,
            isList: true,
            read: { raw throws(ValueFault) in
                let fields = raw.elements
                guard fields.count <= 32, fields.allSatisfy(isField) else {
                    throw ValueFault(reason: "is not a list of at most 32 header fields such as Authorization=Bearer T")
                }
                return fields
            },
            show: { .texts($0) }
        )
    }

    /// Whether name and value can stand in a request (RFC 9110 sections 5.1 and 5.5).
    private static func isField(_ text: String) -> Bool {
        guard text.utf8.count <= 4096, let sign = text.firstIndex(of: "=") else { return false }
        let (name, value) = (text[..<sign], text[text.index(after: sign)...])
        let marks = Set("!#$%&'*+-.^_`|~".utf8)
        let isName = { (byte: UInt8) in
            marks.contains(byte) || Character(UnicodeScalar(byte)).isNumber || Character(UnicodeScalar(byte)).isLetter
        }
        return !name.isEmpty && name.utf8.allSatisfy { $0 < 0x80 && isName($0) }
            && value.utf8.allSatisfy { (0x20...0x7E).contains($0) }
    }
}
