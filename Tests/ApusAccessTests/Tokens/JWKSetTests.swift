import ApusAccess
import Testing

struct JWKSetTests {
    @Test(arguments: [TokenAlgorithm.rs256, .es256, .es384, .es512, .eddsa])
    func `A public key of each type verifies`(algorithm: TokenAlgorithm) async throws {
        let set = try await JWKSet(json: TestKeys.set(TestKeys.jwk(algorithm, kid: "k")))
        let token = try await TestKeys.signing(algorithm, kid: "k").sign(claims: #"{"exp":2000}"#)
        let verifier = try TokenVerifier(keys: set.keys, policy: TokenPolicy())
        #expect(try await verifier.verify(token, at: 0).source == .token(kid: "k"))
        #expect(set.warnings.isEmpty)
    }

    @Test func `An RSA key is for the algorithm that it names, and for no other`() async throws {
        let set = try await JWKSet(json: TestKeys.set(TestKeys.jwk(.rs256, kid: "k", members: #","alg":"PS384""#)))
        let verifier = try TokenVerifier(keys: set.keys, policy: TokenPolicy())
        for algorithm in TokenAlgorithm.allCases where !algorithm.isSymmetric && TestKeys.name(algorithm) == "rsa" {
            let token = try await TestKeys.signing(algorithm, kid: "k").sign(claims: #"{"exp":2000}"#)
            let code = await refusal { try await verifier.verify(token, at: 0) }
            #expect(code == (algorithm == .ps384 ? nil : .algorithm))
        }
    }

    @Test(arguments: [
        #"{"kty":"oct","k":"c2VjcmV0","alg":"HS256"}"#,
        #"{"kty":"RSA","e":"AQAB","n":"AQAB"}"#,
        #"{"kty":"RSA","e":"AQAB"}"#,
        #"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#,
        #"{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}"#,
        #"{"kty":"OKP","crv":"X25519","x":"AA"}"#,
        #"{"kty":"OKP","crv":"Ed25519","x":"AA"}"#,
        #"{"kty":1}"#, "[]", "null", #""RSA""#, #"{"kid":1,"kty":"RSA"}"#,
    ])
    func `A key that cannot be used is left out, and told`(key: String) async throws {
        let set = try await JWKSet(json: TestKeys.set(key, TestKeys.jwk(.es256, kid: "good")))
        #expect(set.keys.map(\.kid) == ["good"])
        #expect(set.warnings.count == 1)
        #expect(set.warnings.allSatisfy { $0.hasPrefix("key 1 of the JWK set is left out") })
    }

    @Test(arguments: [
        #","alg":"HS256""#, #","alg":"RS256""#, #","alg":"none""#, #","alg":1"#, #","use":"enc""#,
        #","key_ops":["encrypt"]"#, #","kid":"twice""#,
    ])
    func `A key that contradicts itself is left out`(members: String) async throws {
        let json = try TestKeys.set(TestKeys.jwk(.es256, kid: "k", members: members))
        #expect(await refusal { try await JWKSet(json: json) } == .file)
    }

    @Test func `A key of one curve that claims another is left out`() async throws {
        let key = try TestKeys.jwk(.es256, kid: "k").replacing("P-256", with: "P-384")
        #expect(await refusal { try await JWKSet(json: TestKeys.set(key)) } == .file)
    }

    @Test func `A weak RSA key is left out`() async throws {
        let weak = #"{"kty":"RSA","e":"AQAB","n":"\#(Base64URL.encode([UInt8](repeating: 0xC5, count: 128)))"}"#
        #expect(await refusal { try await JWKSet(json: TestKeys.set(weak)) } == .file)
        let huge = #"{"kty":"RSA","e":"AQAB","n":"\#(Base64URL.encode([UInt8](repeating: 0xC5, count: 4096)))"}"#
        #expect(await refusal { try await JWKSet(json: TestKeys.set(huge)) } == .file)
    }

    @Test(arguments: ["", "{}", "[]", #"{"keys":{}}"#, #"{"keys":[]}"#, "<html>"])
    func `A text that is no set is an error`(json: String) async {
        #expect(await refusal { try await JWKSet(json: json) } == .file)
    }

    @Test func `A set has at most so many keys and bytes`() async throws {
        let key = #"{"kty":"oct"}"#
        let many = "{\"keys\":[" + Array(repeating: key, count: JWKSet.maximumKeys + 1).joined(separator: ",") + "]}"
        #expect(await refusal { try await JWKSet(json: many) } == .full)
        let large = String(repeating: " ", count: JWKSet.maximumSize)
        #expect(await refusal { try await JWKSet(json: TestKeys.set(TestKeys.jwk(.es256, kid: "k")) + large) } == .file)
    }
}
