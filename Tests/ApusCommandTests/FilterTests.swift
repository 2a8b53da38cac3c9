import ApusClient
import Foundation
import Testing

@testable import apus

@Suite("Conditions of tail")
struct FilterTests {
    /// Cases that the console has as well: Tests/JavaScript/unit/where.test.js.
    private struct Cases: Decodable {
        let event: String
        let hold: [String]
        let fail: [String]
        let wrong: [String]
        /// Regular expressions that are refused.
        let slow: [String]
        /// Regular expressions for a b, and how many characters of a text they get.
        let reach: [Reach]

        struct Reach: Decodable {
            let regex: String
            let length: Int

            init(from decoder: any Decoder) throws {
                var values = try decoder.unkeyedContainer()
                regex = try values.decode(String.self)
                length = try values.decode(Int.self)
            }
        }

        static func load() throws -> Cases {
            let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../conditions.json")
            return try JSONDecoder().decode(Cases.self, from: Data(contentsOf: file))
        }

        func subject() throws -> FilterSubject {
            let event = try #require(JSONText(parsing: event)?.members)
            let message = try #require(event["message"]?.members)
            return FilterSubject(
                topic: try #require(event["topic"]?.stringValue),
                key: event["key"]?.stringValue,
                id: try #require(message["id"]?.stringValue),
                offset: (event["offset"]?.text).flatMap { Int($0) },
                time: try #require(event["ts"]?.stringValue),
                payload: try #require(message["payload"])
            )
        }
    }

    private func decide(_ condition: String, _ subject: FilterSubject) throws -> Bool {
        FilterEvaluator.decide(try FilterParser.parse(condition), on: subject)
    }

    @Test func `that hold in the console do here`() throws {
        let cases = try Cases.load()
        let subject = try cases.subject()
        for condition in cases.hold { #expect(try decide(condition, subject), "\(condition)") }
    }

    @Test func `that fail in the console do here`() throws {
        let cases = try Cases.load()
        let subject = try cases.subject()
        for condition in cases.fail { #expect(try !decide(condition, subject), "\(condition)") }
    }

    @Test func `that are wrong in the console are wrong here`() throws {
        for condition in try Cases.load().wrong {
            #expect(throws: FilterError.self, "\(condition)") { try FilterParser.parse(condition) }
        }
    }

    private func subject(_ payload: String) -> FilterSubject {
        FilterSubject(topic: "t", key: nil, id: "", offset: nil, time: "", payload: JSONText(unchecked: payload))
    }

    @Test func `with an expression that the console refuses as too slow are refused here`() throws {
        for regex in try Cases.load().slow {
            let error = #expect(throws: FilterError.self, "\(regex)") { try FilterParser.parse("payload ~ /\(regex)/") }
            #expect(error?.message.contains("“\(regex)” could take too long") == true)
        }
    }

    @Test(arguments: ["(a+)(?#)+", "(?x)(a+) +", #"(a+\Q(\E)+"#, "(a+[[a](])+", "(a+[](])+", "(?x:(a+) +)", "(?>a+)+"])
    func `with an expression beyond the console's that could be slow are refused`(regex: String) {
        let error = #expect(throws: FilterError.self) { try FilterParser.parse("payload ~ /\(regex)/") }
        #expect(error?.message.contains("could take too long") == true)
    }

    @Test func `look at as much of a text as in the console`() throws {
        for reach in try Cases.load().reach {
            let expression = try FilterParser.parse("payload ~ /\(reach.regex)/")
            for (length, isFound) in [(reach.length - 1, true), (reach.length, false)] {
                let text = String(repeating: "x", count: length) + "b"
                let subject = subject("\"\(text)\"")
                #expect(FilterEvaluator.decide(expression, on: subject) == isFound, "\(reach.regex) \(length)")
            }
        }
    }

    @Test(arguments: ["payload.a = payload.b", "payload.c contains payload.b"])
    func `about large objects take little time`(condition: String) throws {
        func object(_ names: some Sequence<Int>) -> String {
            "{" + names.map { "\"n\($0)\":\($0)" }.joined(separator: ",") + "}"
        }
        let (ascending, descending) = (object(0..<50_000), object((0..<50_000).reversed()))
        let list = String(repeating: "{},", count: 50_000) + ascending
        let subject = subject(#"{"a":\#(ascending),"b":\#(descending),"c":[\#(list)]}"#)
        #expect(try decide(condition, subject))
    }

    @Test func `keep all digits of whole numbers, which the console cannot`() throws {
        let subject = FilterSubject(
            topic: "t",
            key: nil,
            id: "",
            offset: nil,
            time: "",
            payload: JSONText(unchecked: #"{"big":9007199254740993}"#)
        )
        #expect(try decide("payload.big > 9007199254740992", subject))
        #expect(try !decide("payload.big = 9007199254740992", subject))
    }

    @Test(arguments: [
        ("", "the condition is empty", 0), ("   ", "the condition is empty", 0),
        ("amount > 1", "'amount' is none of payload, topic, key, id, offset, time", 0),
        ("payload.a > ", "a value was expected", 12), ("payload.a = and", "a value was expected", 12),
        ("payload.a => 1", "'=>' is no operator here; write >=", 10), ("payload.a && 1", "write and", 10),
        ("payload.a | 1", "write or", 10), ("!payload.a", "write not", 0), ("payload.a <> 1", "write !=", 10),
        ("payload.a = 'x", "has no closing '", 12), ("payload.a ~ /x", "has no closing /", 12),
        ("payload.a ~ /[/", "this is no regular expression", 12), ("payload.a ~ /x/g", "only i may follow", 15),
        ("payload.a ~ x", "after ~ comes a glob", 12), ("(payload.a", "this bracket is not closed", 0),
        ("(payload.a payload.b)", "a ) was expected", 11), ("payload.a)", "could end", 9),
        ("payload.a payload.b", "could end", 10), ("payload.", "after a dot comes a name", 8),
        ("payload[", "between [ and ]", 8), ("payload[1.5]", "between [ and ]", 8),
        ("payload[0", "a ] was expected", 9),
        ("topic.x = 1", "topic has nothing in it", 5), ("payload.a = 1.2.3", "'1.2.3' is no number", 12),
        ("payload.a = -", "'-' is no number", 12), ("payload.a % 2", "'%' has no meaning here", 10),
        ("payload.a = 1 contains 2", "could end", 14), ("payload.a matches (", "after matches comes", 18),
        (#"payload.a = "\ud800""#, "half a character", 13),
        ("payload.a matches '['", "this is no regular expression", 18), ("payload.a = or", "a value was expected", 12),
        ("DE = payload.a", "did you mean payload.DE", 0),
    ])
    func `that are wrong say what and where`(condition: String, message: String, column: Int) {
        let error = #expect(throws: FilterError.self) { try FilterParser.parse(condition) }
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
        #expect(error?.column == column)
    }

    @Test func `of any depth and length end with an error and not with a crash`() {
        #expect(throws: FilterError.self) { try FilterParser.parse(String(repeating: "(", count: 100_000)) }
        #expect(throws: FilterError.self) { try FilterParser.parse(String(repeating: "not ", count: 100_000) + "true") }
        let long = Array(repeating: "true", count: 100_000).joined(separator: " and ")
        #expect(throws: FilterError.self) { try FilterParser.parse(long) }
    }

    @Test func `show the place below the condition`() {
        let text = FilterError(message: "wrong", column: 4).text(in: "a b\tc\u{1B}")
        #expect(text == "wrong\n  a b c\\u{1b}\n      ^")
    }

    @Test func `about a payload that is no object, or too deep, have no values`() throws {
        let deep = String(repeating: "[", count: 300) + String(repeating: "]", count: 300)
        for payload in ["1", "\"text\"", "[]", deep] {
            let subject = FilterSubject(
                topic: "t",
                key: nil,
                id: "",
                offset: nil,
                time: "",
                payload: JSONText(unchecked: payload)
            )
            for condition in ["payload.a = 1", "key = 'k'", "offset > 0", "payload[0][0] = 1"] {
                #expect(try !FilterEvaluator.decide(FilterParser.parse(condition), on: subject))
            }
        }
    }

    @Test(arguments: [
        ("", "", true), ("", "a", false), ("*", "", true), ("*", "abc", true), ("a*c", "abbc", true),
        ("a*c", "abbd", false), ("*a*b*", "xxaxxbxx", true), ("**", "x", true), ("?", "é", true), ("?", "", false),
        ("a\\*b", "a*b", true), ("a\\*b", "axb", false), ("[a]", "[a]", true), ("*.eu", "a.b.eu", true),
    ])
    func `take globs`(glob: String, text: String, matches: Bool) {
        #expect(FilterPattern(glob: glob)?.matches(text) == matches)
    }

    @Test func `take globs with many stars in little time, and no longer ones`() {
        let pattern = FilterPattern(glob: String(repeating: "*a", count: 127) + "b")
        #expect(pattern?.matches(String(repeating: "a", count: 20_000)) == false)
        #expect(FilterPattern(glob: String(repeating: "*a", count: 129)) == nil)
    }

    @Test func `go together with a key, a text and an id`() throws {
        let subject = try Cases.load().subject()
        let all = EventFilter(key: "order-7", text: "AMOUNT", id: subject.id.uppercased())
        #expect(all.takes(subject))
        #expect(EventFilter().takes(subject))
        #expect(!EventFilter(key: "other").takes(subject))
        #expect(!EventFilter(text: "nothing like it").takes(subject))
        #expect(!EventFilter(id: "x").takes(subject))
    }
}
