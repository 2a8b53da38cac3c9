import ApusAccess
import ApusProtocol

extension ValueCodec where Value == [APIKey] {
    /// API keys with rights. A file may write them as a list of mappings; all other sources write them as JSON.
    static var apiKeys: ValueCodec {
        ValueCodec(
            valueName: "json",
            isSecret: true,
            isStructured: true,
            read: { raw throws(ValueFault) in
                guard case .text(let text) = raw, let value = JSONValue(text) else {
                    throw ValueFault(reason: "is not a list of keys")
                }
                do throws(AccessError) {
                    return try KeyRing.keys(in: value)
                } catch {
                    throw ValueFault(reason: "is not a list of keys: " + error.reason)
                }
            },
            show: { $0.isEmpty ? .texts([]) : .secret }
        )
    }
}

extension ValueCodec where Value == RuleList? {
    /// What clients without a credential may do.
    static var rules: ValueCodec {
        ValueCodec(
            valueName: "json",
            isStructured: true,
            read: { raw throws(ValueFault) in
                guard case .text(let text) = raw, let value = JSONValue(text) else {
                    throw ValueFault(reason: "is not a list of rules")
                }
                if case .null = value { return nil }
                let rules = RuleList(value)
                guard let warning = rules.warnings.first else { return rules }
                throw ValueFault(reason: "is not a list of rules: \(warning)")
            },
            show: { .json($0?.json ?? "null") }
        )
    }
}

extension ValueCodec where Value == String {
    /// The keys that tokens are verified with. The files that they name are read when the server starts.
    static var tokenKeys: ValueCodec {
        ValueCodec(
            valueName: "json",
            isSecret: true,
            isStructured: true,
            read: { raw throws(ValueFault) in
                guard case .text(let text) = raw, case .array(let keys)? = JSONValue(text) else {
                    throw ValueFault(reason: "is not a list of keys")
                }
                return keys.isEmpty ? "[]" : text
            },
            show: { $0 == "[]" ? .texts([]) : .secret }
        )
    }

    /// The path of a file; empty for none.
    static var path: ValueCodec {
        text("path", upTo: 4096, expectation: "the path of a file")
    }

    /// Text in one line; may be empty.
    static var plainText: ValueCodec {
        text("text", upTo: 1024, expectation: "text of at most 1024 bytes in one line")
    }

    /// The name of a claim.
    static var claim: ValueCodec {
        let codec = text("name", upTo: 256, expectation: "the name of a claim")
        return ValueCodec(
            valueName: codec.valueName,
            read: { raw throws(ValueFault) in
                let name = try codec.read(raw)
                guard !name.isEmpty else { throw ValueFault(reason: "is not the name of a claim") }
                return name
            },
            show: codec.show
        )
    }

    /// The address of a document: https, or http on this machine.
    static var webAddress: ValueCodec {
        ValueCodec(
            "url",
            expectation: "an address that begins with https://, or with http:// and names this machine",
            read: { text in
                guard !text.isEmpty else { return "" }
                let isLocal = ["localhost", "127.0.0.1", "[::1]"].contains { host in
                    ["/", ":"].contains { text.hasPrefix("http://\(host)\($0)") }
                }
                guard text.hasPrefix("https://") || isLocal, text.utf8.count <= 2048,
                    text.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
                else { return nil }
                return text
            },
            show: { .text($0) }
        )
    }

    private static func text(_ valueName: String, upTo limit: Int, expectation: String) -> ValueCodec {
        ValueCodec(
            valueName,
            expectation: expectation,
            read: { text in
                text.utf8.count <= limit && text.unicodeScalars.allSatisfy { $0.value >= 0x20 } ? text : nil
            },
            show: { .text($0) }
        )
    }
}

extension ValueCodec where Value == [String] {
    /// A list of texts, each in one line.
    static var plainTexts: ValueCodec {
        ValueCodec(
            valueName: "text",
            isList: true,
            read: { raw throws(ValueFault) in
                let texts = raw.elements
                guard texts.count <= 100, texts.allSatisfy({ (1...1024).contains($0.utf8.count) }) else {
                    throw ValueFault(reason: "is not a list of at most 100 texts of 1 to 1024 bytes")
                }
                return texts
            },
            show: { .texts($0) }
        )
    }
}
