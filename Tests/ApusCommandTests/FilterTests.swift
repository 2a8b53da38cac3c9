import ApusClient
import Testing

@testable import apus

@Suite("Conditions of tail")
struct FilterTests {
    private static let subject = FilterSubject(
        topic: "orders.eu",
        key: "order-7",
        id: "6f1c0d3e-6d3a-4b0e-9f57-0a5f6f7f2d11",
        offset: 42,
        time: "2026-11-30T10:00:00.123Z",
        payload: JSONText(
            unchecked: #"""
                {"amount":150,"price":99.50,"big":9007199254740993,"name":"Ann \"A\"","tags":["new","vip"],"ok":true,
                "no":false,"none":null,"items":[{"sku":"A-1"},{"sku":"B-2"}],"a-b":1,"a b":{"c":2},"x":{"y":[1,[2,3]]}}
                """#
        )
    )

    @Test(arguments: [
        "payload.amount > 100", "payload.amount >= 150", "payload.amount = 150.0", "payload.amount == 1.5e2",
        "payload.amount != 151", "payload.amount < 1000", "payload.amount <= 150", "payload.price = 99.5",
        "100 < payload.amount", "payload.amount > -1", "payload.big > 9007199254740992",
        "payload.big = 9007199254740993", "payload.ok", "not payload.no", "not payload.none", "not payload.gone",
        "payload.none = null", "payload.ok = true", "payload.no = false", "payload.gone != 1", "payload.name != 5",
        #"payload.name = "Ann \"A\"""#, #"payload.name = 'Ann "A"'"#, "payload.name > 'Anm'",
        "payload.name contains 'nn'", "payload.name contains ''", "payload.tags contains 'vip'",
        "payload contains 'amount'", "payload.items[0].sku = 'A-1'", "payload.items[-1].sku = 'B-2'",
        "payload.a-b = 1", #"payload["a b"].c = 2"#, "payload['a b']['c'] = 2", "payload.x.y[1][0] = 2",
        "payload.x.y[1] = payload.x.y[1]", "payload.items = payload.items", "topic = 'orders.eu'", "topic ~ 'orders.*'",
        "topic ~ '*.eu'", "topic ~ 'orders?eu'", "key ~ 'order-*'", "key ~ /^order-[0-9]+$/", "key ~ /ORDER/i",
        "key !~ /ORDER/", "payload.amount ~ '1*'", "id ~ '6f1c*'", "offset = 42", "time > '2026-11-30'",
        "payload.amount > 100 and payload.ok", "payload.amount > 1000 or payload.ok",
        "payload.no and payload.no or payload.ok", "payload.ok or payload.no and payload.no",
        "not (payload.no or payload.none)", "payload.name startswith 'Ann'", "key startswith order",
        "key matches '^order-'",
        "payload.tags contains vip", "ts > '2026'", "payload.name != Bob", "payload.$x = payload.$y or true",
        "offset contains 4 or topic contains 'eu'", "not not payload.ok", "((payload.ok))",
        "  payload.ok\t\n and true ",
    ])
    func `that hold`(condition: String) throws {
        #expect(FilterEvaluator.decide(try FilterParser.parse(condition), on: Self.subject))
    }

    @Test(arguments: [
        "payload.amount > 150", "payload.amount = '150'", "payload.amount > 'a'", "payload.gone = 1",
        "payload.gone > 0",
        "payload.gone = payload.gone", "payload.gone ~ '*'", "payload.none", "payload.no", "payload.gone",
        "payload.tags contains 'vi'", "payload.tags[5] = 'vip'", "payload.tags[-3] = 'new'", "payload.name[0] = 'A'",
        "payload.amount.x = 1", "payload.big = 9007199254740992", "payload.ok = 1", "topic ~ 'orders'",
        "topic ~ 'ORDERS.*'", "payload.tags ~ '*'", "payload.none ~ '*'", "key ~ /ORDER/", "not payload.ok",
        "payload.ok and payload.no", "payload.no or payload.none", "topic ~ 'orders\\*'",
        "payload.name startswith 'nn'", "payload.amount startswith '1'", "key matches 'ORDER'", "payload.amount = DE",
        "payload.name contains payload.tags",
    ])
    func `that do not hold`(condition: String) throws {
        #expect(try !FilterEvaluator.decide(FilterParser.parse(condition), on: Self.subject))
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
        ("payload.a = 1 contains 2", "could end", 14), ("payload.a matches x", "after matches comes", 18),
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
        #expect(FilterPattern(glob: glob).matches(text) == matches)
    }

    @Test func `take globs with many stars in little time`() {
        let pattern = FilterPattern(glob: String(repeating: "*a", count: 500) + "b")
        #expect(!pattern.matches(String(repeating: "a", count: 2000)))
    }

    @Test func `go together with a key, a text and an id`() {
        let all = EventFilter(key: "order-7", text: "VIP", id: Self.subject.id.uppercased())
        #expect(all.takes(Self.subject))
        #expect(EventFilter().takes(Self.subject))
        #expect(!EventFilter(key: "other").takes(Self.subject))
        #expect(!EventFilter(text: "nothing like it").takes(Self.subject))
        #expect(!EventFilter(id: "x").takes(Self.subject))
    }
}
