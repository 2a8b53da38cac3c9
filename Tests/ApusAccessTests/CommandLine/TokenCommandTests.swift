import ApusAccess
import ApusClient
import ApusProtocol
import ArgumentParser
import Foundation
import Testing

@testable import apus

struct TokenCommandTests {
    private static let now: Int64 = 1_000_000
    private static let key = ["--key-file", TestKeys.file("ec256-private").path, "--alg", "ES256"]

    private func output(_ arguments: [String]) async throws -> String {
        let command = try #require(try TokenCommand.parseAsRoot(arguments) as? any OfflineCommand)
        return try await command.output(at: Self.now)
    }

    private func minted(_ arguments: String...) async throws -> String {
        try await output(["mint"] + Self.key + arguments).trimmedEnd
    }

    @Test func `A token that is minted is one that the server accepts`() async throws {
        let token = try await minted(
            "--kid",
            "k",
            "--sub",
            "ann",
            "--issuer",
            "joe",
            "--audience",
            "apus",
            "--expires",
            "5m",
            "--allow",
            "subscribe,history:user.{sub}.>",
            "--deny",
            "*:user.ann.secret"
        )
        let verifier = try TokenVerifier(
            keys: [await TestKeys.verifying(.es256, kid: "k")],
            policy: TokenPolicy(issuer: "joe", audience: ["apus"])
        )
        let principal = try await verifier.verify(token, at: Self.now)
        #expect(principal.id == "ann")
        #expect(principal.tokenID?.isEmpty == false)
        #expect(principal.issuedAt == Self.now)
        #expect(principal.expires == Self.now + 300_000)
        #expect(principal.rights.allows([.subscribe, .history], topic: "user.ann.inbox"))
        #expect(!principal.rights.allows(.subscribe, topic: "user.ann.secret"))
    }

    @Test(arguments: [
        ["mint"], ["mint", "--alg", "ES256"], ["mint"] + key + ["--claim", "exp"], ["mint"] + key + ["--allow", "x"],
        ["mint"] + key + ["--expires", "1970-01-01T00:00:00Z"], ["can", "fly", "orders", "t"],
        ["can", "publish", "a>", "t"],
        ["inspect", "a.b.c", "--token-file", "x"], ["inspect", "a.b.c", "--alg", "ES256"],
    ])
    func `Wrong arguments are told`(arguments: [String]) async throws {
        let error = await #expect(throws: CommandFailure.self) { try await output(arguments) }
        #expect(error?.exitCode == .usage)
    }

    @Test func `A key that is not one for the algorithm is told, and not shown`() async throws {
        let path = TestKeys.file("rsa-private").path
        let error = await #expect(throws: CommandFailure.self) {
            try await output(["mint", "--key-file", path, "--alg", "HS256"])
        }
        #expect(error?.exitCode == .badConfiguration)
        #expect(error?.message.contains("BEGIN") == false)
    }

    @Test func `Inspecting shows the parts, the rules and what is wrong`() async throws {
        let token = try await minted("--sub", "ann", "--allow", "publish:orders.eu")
        let text = try await output(["inspect", token])
        #expect(text.contains(#""sub":"ann""#))
        #expect(text.contains("publish:orders.eu"))
        #expect(text.contains("not checked"))
        #expect(text.contains("refused    no"))
        #expect(try await output(["inspect", token] + Self.key).contains("signature  right"))
        let other = ["--key-file", TestKeys.file("ec384-public").path, "--alg", "ES384"]
        #expect(try await output(["inspect", token] + other).contains("signature  wrong"))
        let json = try await output(["inspect", token, "--json"])
        #expect(JSONValue(json) != nil)
        #expect(json.contains(#""refused":false"#))
        let none = forged(header: "{\"alg\":\n\"none\"}", claims: "{}")
        let report = try await TokenReport(none, claim: "apus", key: nil, at: 0)
        #expect(report.problem != nil)
        #expect(JSONValue(report.text(json: true).trimmedEnd) != nil)
        #expect(report.text(json: true).split(separator: "\n").count == 1)
    }

    @Test(arguments: [
        ("publish", "orders.eu", "yes: rule 1 allows it\n"),
        ("publish", "orders.us", "no: no rule allows it\n"),
        ("subscribe", "orders.>", "yes: rule 2 allows it, apart from what rule 3 denies\n"),
        ("subscribe", "orders.internal.x", "no: rule 3 denies it\n"),
        ("subscribe", ">", "no: no single rule allows all that the pattern matches\n"),
    ])
    func `It is answered what a token allows, and which rule says so`(
        action: String,
        topic: String,
        answer: String
    ) async throws {
        let token = try await minted(
            "--allow",
            "publish:orders.eu",
            "--allow",
            "subscribe:orders.>",
            "--deny",
            "*:orders.internal.>"
        )
        #expect(try await output(["can", action, topic, token]) == answer)
        #expect(try await output(["can", action, topic, token] + Self.key) == answer)
        let json = try await output(["can", action, topic, token, "--json"])
        #expect(json.hasPrefix("{\"allowed\":\(answer.hasPrefix("yes"))"))
    }

    @Test func `A token that would be refused allows nothing`() async throws {
        let old = forged(claims: #"{"exp":1,"apus":[{"actions":["*"],"topics":[">"]}]}"#)
        #expect(try await output(["can", "publish", "a", old]) == "no: the token has expired\n")
        let foreign = forged(claims: #"{"exp":2000,"apus":[{"actions":["*"],"topics":[">"]}]}"#)
        #expect(try await output(["can", "publish", "a", foreign]) == "yes: rule 1 allows it\n")
        #expect(try await output(["can", "publish", "a", foreign] + Self.key).hasPrefix("no: "))
    }
}
