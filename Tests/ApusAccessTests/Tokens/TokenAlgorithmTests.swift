import ApusAccess
import Foundation
import Testing

struct TokenAlgorithmTests {
    private static let claims = #"{"sub":"ann","exp":2000,"apus":[{"actions":["*"],"topics":[">"]}]}"#

    @Test(arguments: TokenAlgorithm.allCases)
    func `A token of each algorithm is verified with the public key, and with no other`(
        algorithm: TokenAlgorithm
    ) async throws {
        let token = try await TestKeys.signing(algorithm, kid: "k").sign(claims: Self.claims)
        let verifier = try TokenVerifier(keys: [await TestKeys.verifying(algorithm, kid: "k")], policy: TokenPolicy())
        let principal = try await verifier.verify(token, at: 1_000_000)
        #expect(principal.id == "ann")
        #expect(principal.source == .token(kid: "k"))
        #expect(principal.expires == 2_000_000)
        #expect(principal.rights.isUnlimited)
        // Every other algorithm's key of the same name refuses it, those of the same RSA key included.
        for other in TokenAlgorithm.allCases where other != algorithm {
            let verifier = try TokenVerifier(keys: [await TestKeys.verifying(other, kid: "k")], policy: TokenPolicy())
            #expect(await refusal { try await verifier.verify(token, at: 1_000_000) } == .algorithm, "\(other)")
        }
        let flipped = token.dropLast(3) + (token.hasSuffix("AAA") ? "BAA" : "AAA")
        #expect(await refusal { try await verifier.verify(String(flipped), at: 1_000_000) } == .signature)
    }

    @Test func `The key of RFC 7515 A.1 verifies the token of RFC 7515 A.1`() async throws {
        let secret = try #require(
            Base64URL.decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
        )
        let verifier = try TokenVerifier(
            keys: [await TokenKey(kid: nil, algorithm: .hs256, secret: secret)],
            policy: TokenPolicy(issuer: "joe")
        )
        let token =
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
            + ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
            + ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        let principal = try await verifier.verify(token, at: 1_300_819_379_000)
        #expect(principal.expires == 1_300_819_380_000)
        #expect(principal.rights == .none)
        #expect(await refusal { try await verifier.verify(token, at: 1_300_819_410_000) } == .expired)
    }

    @Test func `The key of RFC 7515 A.3 verifies the token of RFC 7515 A.3`() async throws {
        let set = try await JWKSet(
            json: """
                {"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}]}
                """
        )
        let token =
            "eyJhbGciOiJFUzI1NiJ9"
            + ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
            + ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
        let verifier = try TokenVerifier(keys: set.keys, policy: TokenPolicy())
        #expect(try await verifier.verify(token, at: 0).expires == 1_300_819_380_000)
        #expect(set.keys.allSatisfy { !$0.canSign })
    }

    @Test func `A key is refused for an algorithm that it is not for`() async throws {
        for algorithm in TokenAlgorithm.allCases where !algorithm.isSymmetric {
            for other in ["rsa", "ec256", "ec384", "ec521", "ed25519"] where other != TestKeys.name(algorithm) {
                let pem = try TestKeys.pem(other + "-public")
                let code = await refusal { try await TokenKey(kid: nil, algorithm: algorithm, pem: pem) }
                #expect(code == .file, "\(algorithm) \(other)")
            }
        }
    }

    @Test func `A weak RSA key is refused`() async throws {
        let pem = try TestKeys.pem("rsa-weak-public")
        for algorithm in [TokenAlgorithm.rs256, .ps512] {
            #expect(await refusal { try await TokenKey(kid: nil, algorithm: algorithm, pem: pem) } == .file)
        }
    }

    @Test func `A secret is as long as the digest, and no public key`() async throws {
        for (algorithm, size) in [(TokenAlgorithm.hs256, 32), (.hs384, 48), (.hs512, 64)] {
            let secret = [UInt8](repeating: 7, count: size)
            #expect(try await TokenKey(kid: nil, algorithm: algorithm, secret: secret).canSign)
            #expect(
                await refusal { try await TokenKey(kid: nil, algorithm: algorithm, secret: secret.dropLast()) } == .file
            )
            let pem = Array(try TestKeys.pem("rsa-public").utf8)
            #expect(await refusal { try await TokenKey(kid: nil, algorithm: algorithm, secret: pem) } == .file)
        }
    }

    @Test func `A public key does not sign`() async throws {
        let key = try await TestKeys.verifying(.es256)
        #expect(refusal { try key.sign(claims: "{}") } == .file)
    }

    @Test func `Base64url has exactly one text for some bytes`() throws {
        for size in 0...9 {
            let bytes = (0..<size).map { UInt8(250 - $0 * 37 % 250) }
            let text = Base64URL.encode(bytes)
            #expect(Base64URL.decode(text) == bytes)
            let foundation = Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
                .replacing("=", with: "")
            #expect(text == foundation)
        }
        for text in ["A", "AB", "AAB", "AA==", "A+A", "A/A", "A A", "AAAAA", "ÄAA"] {
            #expect(Base64URL.decode(text) == nil, "\(text)")
        }
    }
}
