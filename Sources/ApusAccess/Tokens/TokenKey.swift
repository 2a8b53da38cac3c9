import Foundation
import JWTKit

/// A key that verifies tokens, for exactly one algorithm.
///
/// The algorithm belongs to the key. A token's header only says which key it means, so a token cannot choose to have an
/// RSA key taken for an HMAC secret.
package struct TokenKey: Sendable {
    /// Its name, which a token's header may give; `nil` if it has none.
    package let kid: String?
    package let algorithm: TokenAlgorithm
    /// Whether it holds what signing needs.
    package let canSign: Bool
    /// What tells it from other keys: a digest of its text. The same key in another form has another one.
    let fingerprint: KeyDigest
    private let signer: any JWTAlgorithm

    /// A secret for HS256, HS384 or HS512.
    ///
    /// - Throws: if the secret is shorter than the algorithm's digest, or if it is a PEM file: an algorithm that takes
    ///   a public key for a secret would let everyone sign.
    package init(kid: String?, algorithm: TokenAlgorithm, secret: [UInt8]) async throws(AccessError) {
        guard algorithm.isSymmetric else {
            throw AccessError(.file, "\(algorithm.rawValue) needs a key in PEM, not a secret")
        }
        guard !String(decoding: secret, as: UTF8.self).contains("-----BEGIN") else {
            throw AccessError(.file, "\(algorithm.rawValue) needs a secret, but this is a key in PEM")
        }
        guard secret.count >= algorithm.minimumSecretSize else {
            throw AccessError(
                .file,
                "\(algorithm.rawValue) needs a secret of at least \(algorithm.minimumSecretSize) bytes"
            )
        }
        let keys = JWTKeyCollection()
        await keys.add(hmac: HMACKey(from: secret), digestAlgorithm: algorithm.digest)
        let fingerprint = KeyDigest(of: algorithm, secret)
        try await self.init(kid: kid, algorithm: algorithm, canSign: true, fingerprint: fingerprint, keys)
    }

    /// A public key, a private key or a certificate in PEM.
    ///
    /// - Throws: if it is not a key for the algorithm, or an RSA key of fewer than 2,048 or more than 8,192 bits.
    package init(kid: String?, algorithm: TokenAlgorithm, pem: String) async throws(AccessError) {
        let isPrivate = pem.contains("PRIVATE KEY-----")
        let isCertificate = pem.contains("BEGIN CERTIFICATE-----")
        let keys = JWTKeyCollection()
        do {
            switch algorithm {
            case .hs256, .hs384, .hs512:
                throw AccessError(.file, "\(algorithm.rawValue) needs a secret, not a key in PEM")
            case .rs256, .rs384, .rs512, .ps256, .ps384, .ps512:
                if isPrivate {
                    try await Self.add(Insecure.RSA.PrivateKey(pem: pem), for: algorithm, to: keys)
                } else if isCertificate {
                    try await Self.add(Insecure.RSA.PublicKey(certificatePEM: pem), for: algorithm, to: keys)
                } else {
                    try await Self.add(Insecure.RSA.PublicKey(pem: pem), for: algorithm, to: keys)
                }
            case .es256:
                if isPrivate {
                    await keys.add(ecdsa: try ES256PrivateKey(pem: pem))
                } else {
                    await keys.add(
                        ecdsa: try isCertificate ? ES256PublicKey(certificate: pem) : ES256PublicKey(pem: pem)
                    )
                }
            case .es384:
                if isPrivate {
                    await keys.add(ecdsa: try ES384PrivateKey(pem: pem))
                } else {
                    await keys.add(
                        ecdsa: try isCertificate ? ES384PublicKey(certificate: pem) : ES384PublicKey(pem: pem)
                    )
                }
            case .es512:
                if isPrivate {
                    await keys.add(ecdsa: try ES512PrivateKey(pem: pem))
                } else {
                    await keys.add(
                        ecdsa: try isCertificate ? ES512PublicKey(certificate: pem) : ES512PublicKey(pem: pem)
                    )
                }
            case .eddsa:
                if isPrivate {
                    await keys.add(eddsa: try EdDSA.PrivateKey(pem: pem))
                } else {
                    await keys.add(eddsa: try EdDSA.PublicKey(pem: pem))
                }
            }
        } catch let error as AccessError {
            throw error
        } catch {
            // What the library says may quote the key.
            throw AccessError(.file, "it is not a key for \(algorithm.rawValue) that can be used")
        }
        let fingerprint = KeyDigest(of: algorithm, Array(pem.utf8))
        try await self.init(kid: kid, algorithm: algorithm, canSign: isPrivate, fingerprint: fingerprint, keys)
    }

    /// A public key of a JWK set: an RSA key by its modulus and exponent.
    init(kid: String?, algorithm: TokenAlgorithm, modulus: String, exponent: String) async throws {
        let keys = JWTKeyCollection()
        try await Self.add(
            Insecure.RSA.PublicKey(modulus: modulus, exponent: exponent),
            for: algorithm,
            to: keys
        )
        let fingerprint = KeyDigest(of: algorithm, Array(modulus.utf8), Array(exponent.utf8))
        try await self.init(kid: kid, algorithm: algorithm, canSign: false, fingerprint: fingerprint, keys)
    }

    /// A public key of a JWK set: a point on the curve of its algorithm. EdDSA has no `y`.
    init(kid: String?, algorithm: TokenAlgorithm, x: String, y: String?) async throws {
        let keys = JWTKeyCollection()
        switch algorithm {
        case .es256: await keys.add(ecdsa: try ES256PublicKey(parameters: (x, y ?? "")))
        case .es384: await keys.add(ecdsa: try ES384PublicKey(parameters: (x, y ?? "")))
        case .es512: await keys.add(ecdsa: try ES512PublicKey(parameters: (x, y ?? "")))
        default: await keys.add(eddsa: try EdDSA.PublicKey(x: x, curve: .ed25519))
        }
        let fingerprint = KeyDigest(of: algorithm, Array(x.utf8), Array((y ?? "").utf8))
        try await self.init(kid: kid, algorithm: algorithm, canSign: false, fingerprint: fingerprint, keys)
    }

    private init(
        kid: String?,
        algorithm: TokenAlgorithm,
        canSign: Bool,
        fingerprint: KeyDigest,
        _ keys: JWTKeyCollection
    ) async throws(AccessError) {
        // The library hands out a key's algorithm only through a collection.
        guard let signer = try? await keys.getKey(), signer.name == algorithm.rawValue else {
            throw AccessError(.file, "it is not a key for \(algorithm.rawValue) that can be used")
        }
        self.kid = kid
        self.algorithm = algorithm
        self.canSign = canSign
        self.fingerprint = fingerprint
        self.signer = signer
    }

    /// The library refuses short keys. Verifying with a very long one would take very long.
    private static func add(_ key: some RSAKey, for algorithm: TokenAlgorithm, to keys: JWTKeyCollection) async throws {
        let publicKey = (key as? Insecure.RSA.PrivateKey)?.publicKey ?? key as? Insecure.RSA.PublicKey
        let modulus = try publicKey?.getKeyPrimitives().modulus.count ?? 0
        guard (256...1024).contains(modulus) else {
            throw AccessError(.file, "its RSA key does not have 2048 to 8192 bits")
        }
        if algorithm.family == .pss {
            await keys.add(pss: key, digestAlgorithm: algorithm.digest)
        } else {
            await keys.add(rsa: key, digestAlgorithm: algorithm.digest)
        }
    }
}

// MARK: - Using a key

extension TokenKey {
    /// Whether the signature is this key's.
    func verifies(_ signature: [UInt8], of text: [UInt8]) -> Bool {
        (try? signer.verify(signature, signs: text)) ?? false
    }

    /// Makes a token with these claims.
    ///
    /// - Parameter claims: a JSON object.
    package func sign(claims: String) throws(AccessError) -> String {
        guard canSign else { throw AccessError(.file, "a public key cannot sign; give the private key") }
        var header = JSONObjectText()
        header.member("alg", algorithm.rawValue)
        header.member("typ", "JWT")
        if let kid { header.member("kid", kid) }
        let text = Base64URL.encode(Array(header.object.utf8)) + "." + Base64URL.encode(Array(claims.utf8))
        guard let signature = try? signer.sign(Array(text.utf8)) else {
            throw AccessError(.file, "the key cannot sign")
        }
        return text + "." + Base64URL.encode(signature)
    }
}
