import ApusAccess
import ApusProtocol
import Foundation
import Testing

struct TokenKeyEntryTests {
    private func keys(_ json: String) async throws -> [TokenKey] {
        try await TokenKey.keys(in: #require(JSONValue(json)))
    }

    private static func path(_ name: String) -> String { TestKeys.file(name).path }

    @Test func `Keys come from files and from secrets, each with its algorithm`() async throws {
        let secret = String(decoding: TestKeys.secret, as: UTF8.self)
        let keys = try await keys(
            """
            [{"kid":"a","alg":"HS256","secret":"\(secret)"},{"alg":"PS512","file":"\(Self.path("rsa-public"))"},
             {"kid":7,"alg":"ES384","file":"\(Self.path("ec384-private"))"}]
            """
        )
        #expect(keys.map(\.kid) == ["a", nil, "7"])
        #expect(keys.map(\.algorithm) == [.hs256, .ps512, .es384])
        #expect(keys.map(\.canSign) == [true, false, true])
        let verifier = try TokenVerifier(keys: keys, policy: TokenPolicy())
        #expect(try await verifier.verify(forged(), at: 0).source == .token(kid: "a"))
    }

    @Test(arguments: ["\n", "\r\n", ""])
    func `The line feed that ends a file is not part of its secret`(ending: String) async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "apus-\(UUID())")
        defer { try? FileManager.default.removeItem(at: file) }
        try (Data(TestKeys.secret) + Data(ending.utf8)).write(to: file)
        let keys = try await keys(#"[{"alg":"HS256","file":"\#(file.path)"}]"#)
        #expect(try await TokenVerifier(keys: keys, policy: TokenPolicy()).verify(forged(), at: 0).id == nil)
    }

    @Test func `A file of JWKs is read`() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "apus-\(UUID()).json")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(TestKeys.set(TestKeys.jwk(.eddsa, kid: "k")).utf8).write(to: file)
        #expect(try await JWKSet(path: file.path).keys.map(\.kid) == ["k"])
        #expect(await refusal { try await JWKSet(path: file.path + ".none") } == .file)
    }

    @Test(arguments: [
        "{}", #"["HS256"]"#, #"[{"alg":"HS256"}]"#, #"[{"alg":"none","secret":"MARK"}]"#, #"[{"secret":"MARK"}]"#,
        #"[{"alg":"HS256","secret":"MARK"}]"#, #"[{"alg":"HS256","secret":1}]"#,
        #"[{"alg":"RS256","secret":"MARK"}]"#, #"[{"alg":"RS256","file":"/nonexistent/MARK"}]"#,
        #"[{"alg":"HS256","secret":"MARK","file":"x"}]"#, #"[{"alg":"HS256","secret":"MARK","key":"x"}]"#,
        #"[{"alg":"HS256","secret":"MARK","secret":"x"}]"#, #"[{"alg":"HS256","kid":"","secret":"MARK"}]"#,
        #"[{"alg":"RS256","file":"/dev/zero"}]"#,
    ])
    func `An entry that is not as it should be is an error that quotes no secret`(json: String) async throws {
        do {
            _ = try await keys(json)
            Issue.record("accepted")
        } catch let error as AccessError {
            #expect(error.code == .file)
            #expect(!error.reason.contains("MARK"))
        }
    }

    @Test func `There are at most so many keys`() async throws {
        let entries = Array(repeating: "{}", count: TokenVerifier.maximumKeys + 1).joined(separator: ",")
        #expect(await refusal { try await keys("[\(entries)]") } == .full)
    }
}
