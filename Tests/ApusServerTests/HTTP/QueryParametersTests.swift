import ApusProtocol
import Testing

@testable import ApusServer

@Suite struct QueryParametersTests {
    private static let limits = ServerConfiguration().limits

    private static func field(_ name: String, _ kind: Field.Kind, _ range: ClosedRange<Int>) -> Field {
        Field(name, kind, in: []) { _ in range }
    }

    /// What a reading gives, or the text of its refusal.
    private func outcome<Value>(_ query: String, _ read: (QueryParameters) throws(Problem) -> Value) -> String {
        do throws(Problem) {
            return "\(try read(try QueryParameters(query)))"
        } catch {
            #expect(error.code == .badRequest)
            return "refused: \(error.detail)"
        }
    }

    @Test func `values are decoded like form data`() throws {
        let query = try QueryParameters("a=1&b=x+y%20z&b=%C3%BC&&c&d==&%61=2")
        #expect(query.all("a") == ["1", "2"] && query["a"] == "2")
        #expect(query.all("b") == ["x y z", "ü"] && query["c"] == "" && query["d"] == "=")
        #expect(query["e"] == nil && query.all("e").isEmpty)
        #expect(try QueryParameters("")["a"] == nil)
    }

    @Test(arguments: ["a=%", "a=%4", "a=%zz", "a=%ff", "%ff=1", "a=%C3"])
    func `what is not percent-encoded text is refused`(query: String) {
        #expect(outcome(query) { $0["a"] } == "refused: The query is not percent-encoded UTF-8")
    }

    @Test func `an integer has its bounds`() {
        let field = Self.field("n", .integer, 1...10)
        let bounds = "refused: 'n' must be an integer, from 1 to 10"
        for (query, result) in [
            ("", "nil"), ("n=1", "Optional(1)"), ("n=10", "Optional(10)"), ("n=3&n=4", "Optional(4)"), ("n=0", bounds),
            ("n=11", bounds), ("n=", bounds), ("n=x", bounds), ("n=1.5", bounds), ("n=99999999999999999999", bounds),
        ] {
            #expect(outcome(query) { q throws(Problem) in try q.integer(field, Self.limits) } == result, "\(query)")
        }
        let count = Field("n", .integer, in: [])
        let negative = outcome("n=-1") { q throws(Problem) in try q.integer(count, Self.limits) }
        #expect(negative == "refused: 'n' must be an integer, not negative")
    }

    @Test func `a duration has a unit and its bounds`() {
        let field = Self.field("t", .duration, 1...60_000)
        let bounds = "refused: 't' must be a duration from 1ms to 1m, such as 20s"
        for (query, result) in [
            ("", "nil"), ("t=20s", "Optional(20000)"), ("t=1ms", "Optional(1)"), ("t=1m", "Optional(60000)"),
            ("t=0s", bounds), ("t=2m", bounds), ("t=x", bounds), ("t=", bounds),
        ] {
            #expect(outcome(query) { q throws(Problem) in try q.duration(field, Self.limits) } == result, "\(query)")
        }
    }

    @Test func `a flag is true or false`() {
        let field = Field("f", .flag, in: [])
        let wrong = "refused: 'f' must be true or false"
        for (query, result) in [
            ("", "nil"), ("f=true", "Optional(true)"), ("f=1", "Optional(true)"), ("f=false", "Optional(false)"),
            ("f=0", "Optional(false)"), ("f", wrong), ("f=yes", wrong), ("f=TRUE", wrong),
        ] {
            #expect(outcome(query) { q throws(Problem) in try q.flag(field) } == result, "\(query)")
        }
    }

    @Test func `the size of a text is counted in bytes`() {
        let field = Self.field("k", .text, 1...3)
        for (query, result) in [
            ("", "nil"), ("k=abc", "Optional(\"abc\")"), ("k=%C3%BCa", "Optional(\"üa\")"),
            ("k=", "refused: 'k' must be 1 to 3 bytes"), ("k=%C3%BC%C3%BC", "refused: 'k' must be 1 to 3 bytes"),
        ] {
            #expect(outcome(query) { q throws(Problem) in try q.text(field, Self.limits) } == result, "\(query)")
        }
    }

    @Test func `a replay starts at a count or a time, and not at both`() {
        func start(_ query: String) -> String { outcome(query) { q throws(Problem) in try q.start() } }
        func text(_ start: ReplayStart?) -> String { "\(start as Any)" }
        #expect(start("") == "nil")
        #expect(start("last_n=5") == text(.lastN(5)))
        #expect(start("last_n=99999999999999999999") == text(.lastN(.max)))
        #expect(start("since=all") == text(.all))
        #expect(start("since=10m") == text(ReplayStart("10m")))
        // An unencoded plus.
        #expect(start("since=2026-11-21T12:00:00+02:00") == text(ReplayStart("2026-11-21T12:00:00+02:00")))
        for query in ["last_n=-1", "last_n=x", "last_n=", "since=", "since=soon", "since=all&last_n=1"] {
            #expect(["refused: 'since'", "refused: 'last_n'"].contains(where: start(query).hasPrefix), "\(query)")
        }
    }

    @Test func `a position is an epoch and an offset`() throws {
        let position = try QueryParameters.position("abc:5", named: "p")
        guard case .position("abc", 5) = position else {
            Issue.record("\(position)")
            return
        }
        for text in ["", "abc", ":5", "abc:", "abc:x", "abc:-1", "a:b:5"] {
            #expect(throws: Problem.self, "\(text)") { try QueryParameters.position(text, named: "p") }
        }
    }
}
