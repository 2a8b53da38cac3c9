import Testing

@testable import ApusProtocol

@Suite struct TopicSettingsFieldsTests {
    private func read(_ text: String, maxQueue: Int = 1000) -> Result<TopicSettingsFields, CommandError> {
        Array(text.utf8).withUnsafeBytes { TopicSettingsFields.read($0, maxQueue: maxQueue) }
    }

    @Test(arguments: ["", "{}", " { } "])
    func `no settings are settings`(text: String) throws {
        #expect(try read(text).get() == TopicSettingsFields())
    }

    @Test func `each setting is read, and only what is named is set`() throws {
        var expected = TopicSettingsFields()
        expected.history = .some(10)
        #expect(try read(#"{"history":10}"#).get() == expected)
        let all = try read(
            #"{"history":0,"history_age":"1h","history_bytes":0,"queue":1000,"overflow":"latest","#
                + #""dedupe_window":90,"ttl":"500ms"}"#
        ).get()
        #expect(all.history == .some(0) && all.historyAge == .some(3_600_000) && all.historyBytes == .some(0))
        #expect(all.queue == .some(1000) && all.overflow == .some(.latest))
        #expect(all.dedupeWindow == .some(90_000) && all.ttl == .some(500))
    }

    @Test func `null takes a setting back`() throws {
        let names = ["history", "history_age", "history_bytes", "queue", "overflow", "dedupe_window", "ttl"]
        let all = try read("{" + names.map { "\"\($0)\":null" }.joined(separator: ",") + "}").get()
        #expect(all.history == .some(nil) && all.historyAge == .some(nil) && all.historyBytes == .some(nil))
        #expect(all.queue == .some(nil) && all.overflow == .some(nil))
        #expect(all.dedupeWindow == .some(nil) && all.ttl == .some(nil))
    }

    @Test func `the last of two values counts, and names may be escaped`() throws {
        #expect(try read(#"{"queue":1,"\u0071ueue":2}"#).get().queue == .some(2))
        #expect(try read(#"{"queue":1,"queue":null}"#).get().queue == .some(nil))
    }

    @Test(arguments: ["[]", "1", "\"x\"", "null", "true"])
    func `a body is an object`(text: String) {
        #expect(read(text).refusal == "The body must be a JSON object")
    }

    @Test(arguments: [
        ("{", "it ends too early, at byte 1"), ("{}x", "something follows the value, at byte 2"),
        (#"{"a":01}"#, "malformed number at byte 6"), (" ", "it ends too early, at byte 1"),
        (#"{"a":1,}"#, "unexpected character at byte 7"),
    ])
    func `a body is JSON, or the place is named where it is not`(text: String, fault: String) {
        #expect(read(text).refusal == "The body is not valid JSON: \(fault)")
    }

    @Test(arguments: [("history", 0, 100_000_000), ("history_bytes", 0, 1 << 40), ("queue", 1, 1000)])
    func `a number is a whole one within its limits`(name: String, least: Int, most: Int) throws {
        for value in [least, most] { #expect(read(#"{"\#(name)":\#(value)}"#).refusal == nil) }
        let wrong = ["\(least - 1)", "\(most + 1)", "1.0", "1e1", "99999999999999999999", "\"5\"", "true", "[]", "{}"]
        for value in wrong {
            #expect(
                read(#"{"\#(name)":\#(value)}"#).refusal
                    == "'\(name)' must be an integer from \(least) to \(most), or null",
                "\(value)"
            )
        }
    }

    @Test(arguments: ["history_age", "dedupe_window", "ttl"])
    func `a time is a positive duration`(name: String) throws {
        for value in [#""1ms""#, #""36500d""#, "1", "0.5"] { #expect(read(#"{"\#(name)":\#(value)}"#).refusal == nil) }
        for value in [#""0s""#, "0", "-1", #""10""#, #""36501d""#, "true", "[]", "{}", #""soon""#] {
            #expect(
                read(#"{"\#(name)":\#(value)}"#).refusal
                    == #"'\#(name)' must be a duration such as "10m" or a number of seconds, at least 0.001, or null"#,
                "\(value)"
            )
        }
    }

    @Test(arguments: ["\"newest\"", "5", "true", "[]", "\"\"", #""\ud800""#])
    func `an overflow policy is one of five`(value: String) {
        #expect(
            read(#"{"overflow":\#(value)}"#).refusal
                == "'overflow' must be one of drop-oldest, drop-newest, latest, disconnect, throttle, or null"
        )
    }

    @Test func `an unknown setting is named, as far as it can be shown`() {
        let those =
            "those are history, history_age, history_bytes, queue, overflow, durability, dedupe_window, ttl, topic_rate, topic_burst"
        #expect(read(#"{"histroy":5}"#).refusal == "'histroy' is no setting of a topic; \(those)")
        let long = String(repeating: "x", count: 100)
        #expect(read(#"{"\#(long)":5}"#).refusal == "'\(long.prefix(64))' is no setting of a topic; \(those)")
    }
}
