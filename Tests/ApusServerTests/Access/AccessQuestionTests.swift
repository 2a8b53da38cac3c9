import ApusAccess
import ApusProtocol
import Testing

@testable import ApusServer

/// What a client asks about a credential, and the answer in words.
@Suite struct AccessQuestionTests {
    @Test func `a question is about the client itself, or about another credential`() throws {
        #expect(try AccessQuestion("").credentials == nil)
        #expect(try AccessQuestion(#"{"api_key":"k"}"#).credentials == Credentials(key: "k"))
        #expect(try AccessQuestion(#"{"token":"t"}"#).credentials == Credentials(token: "t"))
    }

    @Test func `without a topic it is about the whole server`() throws {
        #expect(try AccessQuestion("{}").wanted == nil)
        let wanted = try #require(try AccessQuestion(#"{"action":"stats"}"#).wanted)
        #expect(wanted.action == .stats && wanted.pattern == .everything)
        #expect(try AccessQuestion(#"{"action":"publish","topic":"a.b"}"#).wanted?.pattern == TopicPattern("a.b"))
    }

    @Test(arguments: [
        "[]", "1", "{", #"{"action":"*"}"#, #"{"action":"fly"}"#, #"{"topic":"a"}"#,
        #"{"action":"publish","topic":""}"#,
        #"{"token":"a","api_key":"b"}"#, #"{"token":1}"#, #"{"x":"y"}"#, #"{"token":"a","token":"a"}"#,
    ])
    func `a malformed question is refused`(text: String) {
        #expect(throws: Problem.self) { try AccessQuestion(text) }
    }

    @Test(arguments: [
        (Int64(-5), "0 s"), (999, "0 s"), (1000, "1 s"), (59_999, "59 s"), (60_000, "1 min"), (7_300_000, "2 h"),
        (172_800_000, "2 d"),
    ])
    func `elapsed times are told roughly`(milliseconds: Int64, text: String) {
        #expect(ElapsedTime.text(milliseconds) == text)
    }

    @Test func `a refusal says why, and since when a credential has expired`() {
        func clause(_ error: AccessError) -> String { AccessControl.Admission.refused(error).clause(at: 200_000) }
        let expired = AccessError(.expired, "the token has expired", expired: 20_000)
        #expect(clause(expired) == "the token expired 3 min ago")
        #expect(clause(AccessError(.signature, "the token's signature is wrong")) == "the token's signature is wrong")
        #expect(AccessControl.Admission.anonymous.clause(at: 0) == "a valid API key or token is required")
    }
}
