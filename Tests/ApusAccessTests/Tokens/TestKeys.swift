import ApusAccess
import Crypto
import Foundation
import Testing

/// The keys in `Resources`, which are published and protect nothing.
enum TestKeys {
    static let secret = Array("a secret of the tests, which is long enough for HS512: 64 bytes!".utf8)

    static func file(_ name: String) -> URL {
        URL(filePath: #filePath).appending(path: "../../Resources/TEST-ONLY-\(name).pem").standardized
    }

    static func pem(_ name: String) throws -> String {
        try String(contentsOf: file(name), encoding: .utf8)
    }

    /// The name of the files with a key for that algorithm.
    static func name(_ algorithm: TokenAlgorithm) -> String {
        switch algorithm {
        case .es256: "ec256"
        case .es384: "ec384"
        case .es512: "ec521"
        case .eddsa: "ed25519"
        default: "rsa"
        }
    }

    static func signing(_ algorithm: TokenAlgorithm, kid: String? = nil) async throws -> TokenKey {
        if algorithm.isSymmetric { return try await TokenKey(kid: kid, algorithm: algorithm, secret: secret) }
        return try await TokenKey(kid: kid, algorithm: algorithm, pem: pem(name(algorithm) + "-private"))
    }

    static func verifying(_ algorithm: TokenAlgorithm, kid: String? = nil) async throws -> TokenKey {
        if algorithm.isSymmetric { return try await TokenKey(kid: kid, algorithm: algorithm, secret: secret) }
        return try await TokenKey(kid: kid, algorithm: algorithm, pem: pem(name(algorithm) + "-public"))
    }

    /// A JWK of an EC or Ed25519 key, or of the RSA key, from the bytes that end its public key in PEM.
    static func jwk(_ algorithm: TokenAlgorithm, kid: String, members: String = "") throws -> String {
        let base64 = try pem(name(algorithm) + "-public").split(separator: "\n").filter { !$0.hasPrefix("-") }.joined()
        let der = Array(try #require(Data(base64Encoded: base64)))
        func text(_ bytes: ArraySlice<UInt8>) -> String { Base64URL.encode(Array(bytes)) }
        let key: String
        switch algorithm {
        case .es256, .es384, .es512:
            let size = algorithm == .es256 ? 32 : algorithm == .es384 ? 48 : 66
            let curve = algorithm == .es256 ? "P-256" : algorithm == .es384 ? "P-384" : "P-521"
            let point = der.suffix(2 * size)
            key = #""kty":"EC","crv":"\#(curve)","x":"\#(text(point.prefix(size)))","y":"\#(text(point.suffix(size)))""#
        case .eddsa:
            key = #""kty":"OKP","crv":"Ed25519","x":"\#(text(der.suffix(32)))""#
        default:
            // The exponent takes 5 bytes at the end, the modulus 256 before it.
            key = #""kty":"RSA","e":"AQAB","n":"\#(text(der.dropLast(5).suffix(256)))""#
        }
        return #"{"kid":"\#(kid)",\#(key)\#(members)}"#
    }

    static func set(_ keys: String...) -> String { #"{"keys":["# + keys.joined(separator: ",") + "]}" }
}

/// The code of the error that the body throws; `nil` if it throws none.
func refusal<Value>(_ body: () async throws -> Value) async -> AccessError.Code? {
    do {
        _ = try await body()
        return nil
    } catch {
        return (error as? AccessError)?.code
    }
}

/// A token with any header and claims, signed with the tests' secret as HS256 has it, whatever the header says.
func forged(header: String = #"{"alg":"HS256"}"#, claims: String = #"{"exp":2000}"#) -> String {
    let text = Base64URL.encode(Array(header.utf8)) + "." + Base64URL.encode(Array(claims.utf8))
    let code = HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: SymmetricKey(data: TestKeys.secret))
    return text + "." + Base64URL.encode(Array(code))
}
