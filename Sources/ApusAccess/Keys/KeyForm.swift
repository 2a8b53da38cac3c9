import CZlib

/// The form of an API key that Apus makes: `apus_ID_SECRET+CRC`.
///
/// ```
/// apus_orders-service_4fWm2cXq8nLr0ZkTjYbV7sAe1HuGpd
///      ──── id ────── ─────── secret ───────  ─ crc ─
///
/// key    = "apus_" id "_" secret crc
/// id     = ( a-z / 0-9 ) *39( a-z / 0-9 / "-" )      readable, not secret
/// secret = 24( 0-9 / A-Z / a-z )                     142 bits from the system's generator
/// crc    = 6( 0-9 / A-Z / a-z )                      CRC-32 of all before it, in base 62, padded with 0
/// ```
///
/// A scanner finds such keys with ``expression``. The checksum catches typing errors before a key is looked up, and
/// tells a scanner a key from a text that only looks like one.
package enum KeyForm {
    /// A regular expression for the whole form, without the checksum.
    package static let expression = "apus_[a-z0-9][a-z0-9-]{0,39}_[0-9A-Za-z]{30}"

    static let prefix = "apus_"
    static let maximumIDSize = 40
    static let secretSize = 24
    static let checksumSize = 6

    /// Digits, then capitals, then small letters: the order of ASCII.
    private static let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    /// What a text is, as a key.
    package enum Reading: Hashable, Sendable {
        case key(id: String)
        /// It has the form of a key, but the wrong checksum.
        case mistyped
        /// It has another form: a key that someone else made.
        case foreign
    }

    /// Makes a key. The id must be one.
    package static func make(id: String, using generator: inout some RandomNumberGenerator) -> String {
        precondition(isID(id), "not the id of a key")
        let secret = (0..<secretSize).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &generator)] }
        let body = prefix + id + "_" + String(decoding: secret, as: UTF8.self)
        return body + checksum(of: body)
    }

    package static func isID(_ text: some StringProtocol) -> Bool {
        (1...maximumIDSize).contains(text.utf8.count) && text.utf8.first != UInt8(ascii: "-")
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    package static func read(_ text: String) -> Reading {
        let bytes = text.utf8
        let tailSize = secretSize + checksumSize
        guard bytes.count <= prefix.utf8.count + maximumIDSize + 1 + tailSize, text.hasPrefix(prefix) else {
            return .foreign
        }
        let parts = text.dropFirst(prefix.count).split(separator: "_", omittingEmptySubsequences: false)
        guard parts.count == 2, isID(parts[0]), parts[1].utf8.count == tailSize,
            parts[1].utf8.allSatisfy(alphabet.contains)
        else { return .foreign }
        let isWhole = checksum(of: String(text.dropLast(checksumSize))) == text.suffix(checksumSize)
        return isWhole ? .key(id: String(parts[0])) : .mistyped
    }

    private static func checksum(of body: String) -> String {
        let bytes = Array(body.utf8)
        var rest = Int(crc32(0, bytes, uInt(bytes.count)))
        var digits: [UInt8] = []
        for _ in 0..<checksumSize {
            digits.append(alphabet[rest % alphabet.count])
            rest /= alphabet.count
        }
        return String(decoding: digits.reversed(), as: UTF8.self)
    }
}
