import ApusAccess
import Crypto
import Foundation
import Testing

/// Tokens as an attacker would make them. The time is 1,000 s after 1970; `exp` of a good token is 2,000.
struct TokenAttackTests {
    private static let now: Int64 = 1_000_000

    private static func code(
        _ token: String,
        policy: TokenPolicy = TokenPolicy(),
        keys: [TokenKey]? = nil
    ) async throws -> AccessError.Code? {
        var all = keys ?? []
        if keys == nil { all = [try await TestKeys.verifying(.hs256, kid: "k")] }
        let verifier = try TokenVerifier(keys: all, policy: policy)
        return await refusal { try await verifier.verify(token, at: now) }
    }

    @Test func `The helper's tokens are accepted when there is nothing wrong with them`() async throws {
        #expect(try await Self.code(forged()) == nil)
        #expect(try await Self.code(forged(header: #"{"alg":"HS256","kid":"k","typ":"JWT"}"#)) == nil)
    }

    @Test(arguments: ["none", "None", "NONE", "nOnE", "", "HS1", "hs256", "ES256K", "RSA-OAEP"])
    func `No other algorithm is accepted, and no other spelling`(name: String) async throws {
        let token = forged(header: #"{"alg":"\#(name)"}"#)
        #expect(try await Self.code(token) == .algorithm)
        let unsigned = token.split(separator: ".").prefix(2).joined(separator: ".") + "."
        #expect(try await Self.code(unsigned) == .algorithm)
    }

    @Test func `A token without a signature is refused`() async throws {
        let unsigned = forged().split(separator: ".").prefix(2).joined(separator: ".") + "."
        #expect(try await Self.code(unsigned) == .signature)
    }

    @Test func `A public RSA key is no secret for HMAC`() async throws {
        let pem = try TestKeys.pem("rsa-public")
        let key = try await TestKeys.verifying(.rs256, kid: "k")
        for kid in ["", #","kid":"k""#] {
            let text =
                Base64URL.encode(Array(#"{"alg":"HS256"\#(kid)}"#.utf8)) + "."
                + Base64URL.encode(Array(#"{"exp":2000}"#.utf8))
            for secret in [Data(pem.utf8), Data(pem.dropLast().utf8)] {
                let mac = HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: SymmetricKey(data: secret))
                #expect(try await Self.code(text + "." + Base64URL.encode(Array(mac)), keys: [key]) == .algorithm)
            }
        }
    }

    @Test(arguments: [
        #""crit":["exp"]"#, #""crit":[]"#, #""crit":["b64"],"b64":false"#, #""crit":null"#,
        #""jku":"https://evil.example/keys""#, #""jwk":{"kty":"oct","k":"AA"}"#, #""x5u":"https://evil.example""#,
        #""jku":null"#, #""kid":1"#, #""kid":["k"]"#, #""kid":null"#,
        #""kid":"\#(String(repeating: "k", count: 257))""#,
    ])
    func `A header that asks for more than a key by its name is refused`(member: String) async throws {
        #expect(try await Self.code(forged(header: #"{"alg":"HS256",\#(member)}"#)) == .header)
    }

    @Test(arguments: ["../../../dev/null", "/dev/null", "k' OR '1'='1", "k\\u0000", "K", "k ", ""])
    func `A name of a key is compared, and nothing else is done with it`(kid: String) async throws {
        #expect(try await Self.code(forged(header: #"{"alg":"HS256","kid":"\#(kid)"}"#)) == .unknownKey)
    }

    @Test(arguments: [
        "", ".", "..", "a.b", "a.b.c.d", "a.b.c.d.e", "e30.e30.", " e30.e30.e30", "e30=.e30.e30", "e30.e30.e3",
        "W10.e30.e30", "e30.W10.e30", "e30.bnVsbA.e30", "_w.e30.e30", "e30.e30.\u{E9}",
    ])
    func `Garbage is refused as malformed or for its algorithm`(text: String) async throws {
        let code = try await Self.code(text)
        #expect(code == .malformed || code == .algorithm)
    }

    @Test func `A huge token is refused before it is taken apart`() async throws {
        let claims = #"{"exp":2000,"x":"\#(String(repeating: "x", count: 20_000))"}"#
        #expect(try await Self.code(forged(claims: claims)) == .malformed)
        #expect(try await Self.code(String(repeating: ".", count: 1 << 20)) == .malformed)
        let header = #"{"alg":"HS256","x":"\#(String(repeating: "x", count: 4000))"}"#
        #expect(try await Self.code(forged(header: header)) == .malformed)
    }

    @Test func `Deep nesting is refused`() async throws {
        let deep = String(repeating: "[", count: 3000) + String(repeating: "]", count: 3000)
        #expect(try await Self.code(forged(claims: #"{"exp":2000,"x":\#(deep)}"#)) == .malformed)
    }

    @Test(arguments: [
        (#"{"alg":"HS256"}"#, #"{"exp":2000,"exp":9000}"#),
        (#"{"alg":"HS256"}"#, #"{"exp":2000,"sub":"a","s\u0075b":"b"}"#),
        (#"{"alg":"HS256"}"#, #"{"exp":2000,"apus":[{"actions":["*"],"actions":[],"topics":[]}]}"#),
        (#"{"alg":"none","alg":"HS256"}"#, #"{"exp":2000}"#),
    ])
    func `A name that comes a second time makes a token malformed`(header: String, claims: String) async throws {
        #expect(try await Self.code(forged(header: header, claims: claims)) == .malformed)
    }

    @Test(arguments: [
        #"{}"#, #"{"exp":"2000"}"#, #"{"exp":null}"#, #"{"exp":true}"#, #"{"exp":-1}"#, #"{"exp":1e300}"#,
        #"{"exp":99999999999999999999999}"#, #"{"exp":253402300800}"#, #"{"exp":[2000]}"#,
        #"{"exp":2000,"nbf":"0"}"#, #"{"exp":2000,"iat":-5}"#, #"{"exp":2000,"sub":1}"#, #"{"exp":2000,"jti":{}}"#,
        #"{"exp":2000,"aud":1}"#, #"{"exp":2000,"aud":["a",1]}"#, #"{"exp":2000,"iss":[]}"#,
        #"{"exp":2000,"sub":"\#(String(repeating: "s", count: 257))"}"#,
    ])
    func `A claim that is missing or of a wrong type is refused`(claims: String) async throws {
        #expect(try await Self.code(forged(claims: claims)) == .claims)
    }

    @Test(
        arguments: [
            (#"{"exp":970.001}"#, nil), (#"{"exp":970}"#, .expired), (#"{"exp":1.0001e3}"#, nil),
            (#"{"exp":0}"#, .expired),
            (#"{"exp":253402300799}"#, nil), (#"{"exp":2000,"nbf":1030}"#, nil),
            (#"{"exp":2000,"nbf":1030.1}"#, .notYetValid),
            (#"{"exp":2000,"iat":1030}"#, nil), (#"{"exp":2000,"iat":1031}"#, .notYetValid),
        ] as [(String, AccessError.Code?)]
    )
    func `Times hold to within the leeway`(claims: String, code: AccessError.Code?) async throws {
        #expect(try await Self.code(forged(claims: claims)) == code)
    }

    @Test func `A token may not be valid for longer than it may be`() async throws {
        let policy = TokenPolicy(maximumAge: 60_000)
        #expect(try await Self.code(forged(claims: #"{"exp":1090}"#), policy: policy) == nil)
        #expect(try await Self.code(forged(claims: #"{"exp":1090.1}"#), policy: policy) == .tooLong)
    }

    @Test func `The issuer and the audience are compared byte for byte`() async throws {
        let policy = TokenPolicy(issuer: "https://id.example", audience: ["apus", "caf\u{E9}"])
        func code(_ members: String) async throws -> AccessError.Code? {
            try await Self.code(forged(claims: #"{"exp":2000,\#(members)}"#), policy: policy)
        }
        #expect(try await code(#""iss":"https://id.example","aud":"apus""#) == nil)
        #expect(try await code(#""iss":"https://id.example","aud":["x","apus"]"#) == nil)
        #expect(try await code(#""iss":"https://id.example","aud":"apu""#) == .audience)
        #expect(try await code(#""iss":"https://id.example","aud":["x","y"]"#) == .audience)
        #expect(try await code(#""iss":"https://id.example","aud":[]"#) == .audience)
        #expect(try await code(#""iss":"https://id.example""#) == .audience)
        #expect(try await code("\"iss\":\"https://id.example\",\"aud\":\"cafe\u{301}\"") == .audience)
        #expect(try await code(#""iss":"https://id.example/","aud":"apus""#) == .issuer)
        #expect(try await code(#""aud":"apus""#) == .issuer)
    }

    @Test(arguments: [">", "*", "a.>", "ann.inbox", ".", ""])
    func `A subject with wildcards or dots opens no topic of others`(subject: String) async throws {
        let claims = """
            {"exp":2000,"sub":"\(subject)","apus":[{"actions":["*"],"topics":["user.{sub}.>","user.{sub}","{sub}"]}]}
            """
        let verifier = try TokenVerifier(keys: [await TestKeys.verifying(.hs256)], policy: TokenPolicy())
        let rights = try await verifier.verify(forged(claims: claims), at: Self.now).rights
        for topic in ["user", "user.ann", "user.ann.inbox", "ann", "user..x", "a.b"] {
            #expect(!rights.hasAnyRight(onTopic: topic), "\(topic)")
        }
        #expect(try !rights.allows(.subscribe, pattern: #require(TopicPattern(">"))))
    }

    @Test func `A token outlives its key for not a moment`() async throws {
        let old = try await TestKeys.signing(.es256, kid: "old")
        let token = try old.sign(claims: #"{"exp":2000}"#)
        let new = try await TestKeys.verifying(.es256, kid: "new")
        #expect(try await Self.code(token, keys: [new]) == .unknownKey)
        #expect(try await Self.code(token, keys: []) == .unknownKey)
    }

    @Test func `Without a name each key of the algorithm is tried, and keys without a name stand in for unknown ones`()
        async throws
    {
        let other = try await TokenKey(kid: "other", algorithm: .hs256, secret: [UInt8](repeating: 1, count: 32))
        let right = try await TestKeys.verifying(.hs256, kid: "k")
        let nameless = try await TestKeys.verifying(.hs256)
        #expect(try await Self.code(forged(), keys: [other, right]) == nil)
        #expect(try await Self.code(forged(), keys: [other]) == .signature)
        let named = forged(header: #"{"alg":"HS256","kid":"other"}"#)
        #expect(try await Self.code(named, keys: [other, right, nameless]) == .signature)
        let unknown = forged(header: #"{"alg":"HS256","kid":"unknown"}"#)
        #expect(try await Self.code(unknown, keys: [other, nameless]) == nil)
    }

    @Test func `No error shows anything of a token or a secret`() async throws {
        let key = try await TestKeys.verifying(.hs256, kid: "k")
        let verifier = try TokenVerifier(keys: [key], policy: TokenPolicy(issuer: "joe", audience: ["apus"]))
        for claims in [#"{"sub":"MARK","exp":1}"#, #"{"sub":"MARK","exp":"MARK"}"#, #"{"iss":"MARK","exp":2000}"#] {
            for header in [#"{"alg":"HS256"}"#, #"{"alg":"MARK"}"#, #"{"alg":"HS256","kid":"MARK"}"#] {
                do {
                    _ = try await verifier.verify(forged(header: header, claims: claims), at: Self.now)
                    Issue.record("accepted")
                } catch {
                    #expect(!"\(error) \(String(reflecting: error))".contains("MARK"))
                }
            }
        }
    }
}
