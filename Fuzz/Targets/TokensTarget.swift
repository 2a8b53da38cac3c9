import ApusProtocol
import Crypto

@testable import ApusAccess

extension FuzzTarget {
    /// A byte that says which: a token; claims, which are signed; or a header and claims on two lines, which are signed
    /// with the key that the next byte says.
    static let tokens = FuzzTarget(name: "Tokens") {
        let check = try TokensCheck()
        return { bytes in
            var input = FuzzInput(bytes)
            switch input.byte() % 3 {
            case 0: try check.checkToken(input.text)
            case 1: try check.checkSigned(header: TokensCheck.usualHeader, claims: input.text, by: .secret)
            default:
                let signer = TokensCheck.Signer.allCases[Int(input.byte()) % TokensCheck.Signer.allCases.count]
                let lines = input.texts(separatedBy: "\n")
                let claims = lines.dropFirst().joined(separator: "\n")
                try check.checkSigned(header: lines.part(0), claims: claims, by: signer)
            }
        }
    }
}

private struct TokensCheck {
    enum Signer: CaseIterable {
        case secret, edwards, nist

        var algorithm: String {
            switch self {
            case .secret: "HS256"
            case .edwards: "EdDSA"
            case .nist: "ES256"
            }
        }
    }

    static let usualHeader = #"{"alg":"HS256","kid":"secret"}"#
    /// 2023-11-14, in milliseconds.
    private static let now: Int64 = 1_700_000_000_000
    private static let policy = TokenPolicy(issuer: "apus", audience: ["a", "b"], maximumAge: 86_400_000)

    private let verifier: TokenVerifier
    private let secret = SymmetricKey(data: Array("a secret of more than thirty-two bytes".utf8))
    private let edwards: Curve25519.Signing.PrivateKey
    private let nist: P256.Signing.PrivateKey

    /// The keys are always the same, so that a token in the corpus stays what it is.
    init() throws {
        let edwards = try Curve25519.Signing.PrivateKey(rawRepresentation: [UInt8](repeating: 7, count: 32))
        let nist = try P256.Signing.PrivateKey(rawRepresentation: [UInt8](repeating: 9, count: 32))
        (self.edwards, self.nist) = (edwards, nist)
        let bytes = secret.withUnsafeBytes { Array($0) }
        let point = Array(nist.publicKey.rawRepresentation)
        let (x, y) = (Base64URL.encode(Array(point[..<32])), Base64URL.encode(Array(point[32...])))
        let edwardsX = Base64URL.encode(Array(edwards.publicKey.rawRepresentation))
        verifier = try wait {
            try await TokenVerifier(
                keys: [
                    TokenKey(kid: "secret", algorithm: .hs256, secret: bytes),
                    TokenKey(kid: "edwards", algorithm: .eddsa, x: edwardsX, y: nil),
                    TokenKey(kid: "nist", algorithm: .es256, x: x, y: y),
                ],
                policy: Self.policy
            )
        }
    }

    func checkToken(_ text: String) throws {
        guard try accepts(text) else { return }
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        try require(parts.count == 3, "a token has three parts")
        let signed = Array(Substring(parts[0]).utf8) + [UInt8(ascii: ".")] + Array(Substring(parts[1]).utf8)
        let signature = Base64URL.decode(Substring(parts[2])) ?? []
        let isSigned =
            HMAC<SHA256>.isValidAuthenticationCode(signature, authenticating: signed, using: secret)
            || edwards.publicKey.isValidSignature(signature, for: signed)
            || (try? P256.Signing.ECDSASignature(rawRepresentation: signature))
                .map { nist.publicKey.isValidSignature($0, for: signed) } ?? false
        try require(isSigned, "a token that is accepted is signed")
        let claims = Base64URL.decode(Substring(parts[1])) ?? []
        try checkClaims(String(decoding: claims, as: UTF8.self))
    }

    func checkSigned(header: String, claims: String, by signer: Signer) throws {
        let encoded = [header, claims].map { Base64URL.encode(Array($0.utf8)) }
        let signed = encoded.joined(separator: ".")
        let signature = try sign(Array(signed.utf8), by: signer)
        guard try accepts(signed + "." + Base64URL.encode(signature)) else { return }
        let read = JSONValue(header)
        try require(read?["alg"]?.string == signer.algorithm, "a token names the algorithm of its key")
        for name in ["crit", "jku", "jwk", "x5u"] {
            try require(read?[name] == nil, "a token that is accepted has no \(name)")
        }
        try checkClaims(claims)
        for (index, mask) in [(0, UInt8(1)), (signature.count / 2, 0x80), (signature.count - 1, 0x40)] {
            var wrong = signature
            wrong[index] ^= mask
            let token = signed + "." + Base64URL.encode(wrong)
            try require(!(try accepts(token)), "a token with another signature is refused")
        }
        let other = encoded[0] + "." + Base64URL.encode(Array((claims + " ").utf8))
        try require(
            !(try accepts(other + "." + Base64URL.encode(signature))),
            "a token with other claims is refused"
        )
    }

    private func sign(_ text: [UInt8], by signer: Signer) throws -> [UInt8] {
        switch signer {
        case .secret: Array(HMAC<SHA256>.authenticationCode(for: text, using: secret))
        case .edwards: Array(try edwards.signature(for: text))
        case .nist: Array(try nist.signature(for: text).rawRepresentation)
        }
    }

    private func accepts(_ token: String) throws -> Bool {
        for part in token.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false) {
            guard let bytes = Base64URL.decode(Substring(part)) else { continue }
            try require(
                Base64URL.encode(bytes).utf8.elementsEqual(Substring(part).utf8),
                "bytes have one text in base64url"
            )
        }
        let result = Result { () throws(AccessError) in try verifier.verifyAtOnce(token, at: Self.now) }
        switch result {
        case .success(let principal):
            try require(principal != nil, "a token is verified at once where no keys are fetched")
            // With rights of its own, if it has any.
            _ = principal?.rights.actions(onTopic: "orders.eu")
            return true
        case .failure(let error):
            try require(!error.reason.isEmpty && !error.reason.contains("\n"), "a reason is one line")
            return false
        }
    }

    /// What the policy asks for, read once more.
    private func checkClaims(_ text: String) throws {
        let claims = JSONValue(text)
        func seconds(_ name: String) -> Double? {
            if case .number(let text)? = claims?[name] { Double(text) } else { nil }
        }
        let now = Double(Self.now) / 1000
        let end = seconds("exp") ?? 0
        try require(end > now - 31 && end <= now + 86_431, "an accepted token ends in time")
        try require(seconds("nbf").map { $0 <= now + 31 } ?? true, "an accepted token is valid already")
        try require(seconds("iat").map { $0 <= now + 31 } ?? true, "an accepted token was made in the past")
        try require(claims?["iss"]?.string == "apus", "an accepted token has the right issuer")
        var audience = claims?["aud"]?.string.map { [$0] } ?? []
        if case .array(let values)? = claims?["aud"] { audience = values.compactMap(\.string) }
        try require(audience.contains { ["a", "b"].contains($0) }, "an accepted token has the right audience")
    }
}
