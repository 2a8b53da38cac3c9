import ApusProtocol

/// The public keys of a JWK set (RFC 7517), from a file or an address.
///
/// Read leniently key by key, because a set is often shared with others: what is not a key for a known algorithm is
/// left out, and told in ``warnings``. Private members are ignored, and a symmetric key is never taken: one that is
/// published is no secret.
package struct JWKSet: Sendable {
    /// The most keys in a set. A longer one is refused.
    package static let maximumKeys = 64
    /// The largest set, in bytes.
    package static let maximumSize = 256 << 10

    package private(set) var keys: [TokenKey] = []
    package private(set) var warnings: [String] = []

    /// - Throws: if the text is no JWK set, or a set without a key that can be used.
    package init(json text: String) async throws(AccessError) {
        guard text.utf8.count <= Self.maximumSize else {
            throw AccessError(.file, "the JWK set is larger than \(Self.maximumSize) bytes")
        }
        guard let root = JSONValue(text, maxDepth: CompactToken.maximumDepth), case .array(let entries)? = root["keys"]
        else { throw AccessError(.file, "it is not a JWK set") }
        guard entries.count <= Self.maximumKeys else {
            throw AccessError(.full, "the JWK set has more than \(Self.maximumKeys) keys")
        }
        for (index, entry) in entries.enumerated() {
            do throws(AccessError) {
                keys.append(try await Self.key(entry))
            } catch {
                warnings.append("key \(index + 1) of the JWK set is left out: \(error.reason)")
            }
        }
        guard !keys.isEmpty else { throw AccessError(.file, "the JWK set has no key that can be used") }
    }

    private static func key(_ entry: JSONValue) async throws(AccessError) -> TokenKey {
        guard case .object = entry, !entry.hasRepeatedName else { throw AccessError(.file, "it is not an object") }
        let kid = entry["kid"]?.string
        guard entry["kid"] == nil || kid.map({ $0.utf8.count <= CompactToken.maximumKidSize }) == true else {
            throw AccessError(.file, "its kid is not a text")
        }
        guard entry["use"] == nil || entry["use"]?.string == "sig" else {
            throw AccessError(.file, "it is not for signatures")
        }
        if case .array(let operations)? = entry["key_ops"], !operations.contains(where: { $0.string == "verify" }) {
            throw AccessError(.file, "it is not for verifying")
        }
        let algorithm = try algorithm(of: entry)
        do {
            if let x = entry["x"]?.string, entry["kty"]?.string != "RSA" {
                return try await TokenKey(kid: kid, algorithm: algorithm, x: x, y: entry["y"]?.string)
            }
            guard let modulus = entry["n"]?.string, let exponent = entry["e"]?.string else {
                throw AccessError(.file, "a part of it is missing")
            }
            return try await TokenKey(kid: kid, algorithm: algorithm, modulus: modulus, exponent: exponent)
        } catch let error as AccessError {
            throw error
        } catch {
            throw AccessError(.file, "its \(algorithm.rawValue) key cannot be used")
        }
    }

    /// The algorithm that the key is for: by its type and curve, which `alg` must not contradict.
    ///
    /// An RSA key that does not say is for RS256, as most issuers mean it.
    private static func algorithm(of entry: JSONValue) throws(AccessError) -> TokenAlgorithm {
        let fitting: [TokenAlgorithm]
        switch (entry["kty"]?.string, entry["crv"]?.string) {
        case ("RSA", _): fitting = [.rs256, .rs384, .rs512, .ps256, .ps384, .ps512]
        case ("EC", "P-256"): fitting = [.es256]
        case ("EC", "P-384"): fitting = [.es384]
        case ("EC", "P-521"): fitting = [.es512]
        case ("OKP", "Ed25519"): fitting = [.eddsa]
        case ("oct", _): throw AccessError(.file, "it is a symmetric key, which must not be in a JWK set")
        default: throw AccessError(.file, "its type is not known")
        }
        guard let alg = entry["alg"] else { return fitting[0] }
        guard let algorithm = alg.string.flatMap(TokenAlgorithm.init(rawValue:)), fitting.contains(algorithm) else {
            throw AccessError(.file, "its alg is not one of its type")
        }
        return algorithm
    }
}
