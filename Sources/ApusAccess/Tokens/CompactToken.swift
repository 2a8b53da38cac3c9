package import ApusProtocol

/// A JWT taken apart (RFC 7515 section 7.1), before anything about it is verified.
///
/// Strict, because the header is read before it is known who wrote it: bounded in size and depth, no name twice, and
/// nothing that asks for a key from elsewhere.
package struct CompactToken: Sendable {
    /// The largest token, in bytes.
    package static let maximumSize = 16 << 10
    /// The largest header, in bytes of its text.
    static let maximumHeaderSize = 4 << 10
    /// The longest `kid`, in bytes.
    static let maximumKidSize = 256
    static let maximumDepth = 16

    package let header: JSONValue
    package let claims: JSONValue
    /// The text that is signed.
    let signed: [UInt8]
    let signature: [UInt8]

    /// Takes a token apart. What its header says is checked by ``checkedHeader()``.
    package init(_ text: String) throws(AccessError) {
        guard text.utf8.count <= Self.maximumSize else {
            throw AccessError(.malformed, "the token is larger than \(Self.maximumSize) bytes")
        }
        // Bytes, not characters: a combining accent behind a dot must not hide it.
        let parts = text.utf8.split(separator: UInt8(ascii: "."), maxSplits: 3, omittingEmptySubsequences: false)
            .map { Substring($0) }
        guard parts.count == 3 else { throw AccessError(.malformed, "the token does not have three parts") }
        guard parts[0].utf8.count <= Self.maximumHeaderSize else {
            throw AccessError(.malformed, "the token's header is larger than \(Self.maximumHeaderSize) bytes")
        }
        guard let signature = Base64URL.decode(parts[2]) else {
            throw AccessError(.malformed, "the token's signature is not base64url")
        }
        header = try Self.object(parts[0], called: "header")
        claims = try Self.object(parts[1], called: "payload")
        signed = Array((parts[0] + "." + parts[1]).utf8)
        self.signature = signature
    }

    private static func object(_ part: Substring, called name: String) throws(AccessError) -> JSONValue {
        guard let bytes = Base64URL.decode(part) else {
            throw AccessError(.malformed, "the token's \(name) is not base64url")
        }
        guard let text = String(validating: bytes, as: UTF8.self), let value = JSONValue(text, maxDepth: maximumDepth),
            case .object = value
        else { throw AccessError(.malformed, "the token's \(name) is not a JSON object") }
        guard !value.hasRepeatedName else {
            throw AccessError(.malformed, "the token's \(name) has a name a second time")
        }
        return value
    }

    /// Which key a token says it is signed with.
    struct KeyReference: Hashable {
        let algorithm: TokenAlgorithm
        let kid: String?
    }

    /// Checks the header without using what it says.
    package func checkHeader() throws(AccessError) {
        _ = try checkedHeader()
    }

    /// - Throws: for an algorithm that is none, for `crit`, and for a key that the token brings or points to.
    func checkedHeader() throws(AccessError) -> KeyReference {
        guard header["crit"] == nil else {
            throw AccessError(.header, "the token's header has crit, and no extension is understood")
        }
        for name in ["jku", "jwk", "x5u"] where header[name] != nil {
            throw AccessError(.header, "the token's header has \(name): keys come from the configuration only")
        }
        guard let name = header["alg"]?.string, let algorithm = TokenAlgorithm(rawValue: name) else {
            throw AccessError(.algorithm, "the token's algorithm is none that is accepted")
        }
        switch header["kid"] {
        case nil: return KeyReference(algorithm: algorithm, kid: nil)
        case .string(let kid) where kid.utf8.count <= Self.maximumKidSize:
            return KeyReference(algorithm: algorithm, kid: kid)
        default: throw AccessError(.header, "the token's kid is not a text of at most \(Self.maximumKidSize) bytes")
        }
    }
}
