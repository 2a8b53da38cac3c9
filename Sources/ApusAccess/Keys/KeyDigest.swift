import Crypto

/// The SHA-256 of a whole API key, prefix and checksum included: what `printf %s "$KEY" | sha256sum` prints.
///
/// The whole key, because a key in any other form has no part that is known to be its secret.
package struct KeyDigest: Sendable {
    private let bytes: [UInt8]

    /// The digest of a key.
    package init(of key: String) {
        bytes = Array(SHA256.hash(data: Array(key.utf8)))
    }

    /// The fingerprint of a key for tokens.
    init(of algorithm: TokenAlgorithm, _ parts: [UInt8]...) {
        var hash = SHA256()
        for part in [Array(algorithm.rawValue.utf8)] + parts {
            hash.update(data: Array("\(part.count) ".utf8) + part)
        }
        bytes = Array(hash.finalize())
    }

    /// Reads 64 hexadecimal digits.
    package init?(hex: String) {
        let digits = Array(hex.utf8)
        guard digits.count == 2 * SHA256.byteCount else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = Self.value(of: digits[index]), let low = Self.value(of: digits[index + 1]) else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        self.bytes = bytes
    }

    package var hex: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    private static func value(of digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

extension KeyDigest: Hashable {
    /// Takes the same time wherever the two differ. `|` and `^` bind equally, hence the brackets.
    package static func == (lhs: KeyDigest, rhs: KeyDigest) -> Bool {
        zip(lhs.bytes, rhs.bytes).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(bytes)
    }
}
