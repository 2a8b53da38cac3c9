import ApusProtocol
import Testing

/// Lists of topics that are to be there from the start.
@Suite struct TopicDeclarationTests {
    private func read(_ text: String) -> Result<[TopicDeclaration], CommandError> {
        TopicDeclaration.readList(text, maxQueue: 1000) { !$0.contains("*") }
    }

    @Test func `each has a name, and the settings of a PUT`() throws {
        var settings = TopicSettingsFields()
        settings.history = .some(1000)
        settings.historyAge = .some(3_600_000)
        settings.overflow = .some(nil)
        let text = #" [ {"name":"orders","history":1000,"history_age":"1h","overflow":null}, {"n\u0061me":"b"} ] "#
        #expect(try read(text).get() == [.init(name: "orders", settings: settings), .init(name: "b")])
        #expect(try read("[]").get() == [])
        // Written without quotes in a file of YAML.
        #expect(try read(#"[{"history":0,"name":2026}]"#).get().map(\.name) == ["2026"])
    }

    @Test(arguments: [
        ("[", #"it is not valid JSON: it ends too early, at byte 1; write a list such as [{"name":"orders"}]"#),
        (#"{"name":"a"}"#, "it must be a list"),
        ("5", "it must be a list"),
        (#"[{"name":"a"},"b"]"#, "topic 2: it must be an object"),
        (#"[{"history":1}]"#, "topic 1: 'name' is required"),
        (#"[{"name":""}]"#, "topic 1: 'name' is required"),
        (#"[{"name":null}]"#, "topic 1: 'name' must be a string"),
        (#"[{"name":["a"]}]"#, "topic 1: 'name' must be a string"),
        (#"[{"name":"a*"}]"#, "topic 1 ('a*'): 'name' must be 1 to 255 bytes without control characters, '*' and '>'"),
        (#"[{"name":"a"},{"name":"b"},{"name":"a"}]"#, "'a' is there twice"),
        (
            #"[{"histroy":1,"name":"a"}]"#,
            """
            topic 1 ('a'): 'histroy' is no setting of a topic; those are history, history_age, history_bytes, queue, \
            overflow, durability, dedupe_window, ttl, topic_rate, topic_burst
            """
        ),
        (#"[{"name":"a","queue":1001}]"#, "topic 1 ('a'): 'queue' must be an integer from 1 to 1000, or null"),
        (
            #"[{"name":"a","ttl":"soon"}]"#,
            #"topic 1 ('a'): 'ttl' must be a duration such as "10m" or a number of seconds, at least 0.001, or null"#
        ),
    ])
    func `what is wrong is named, with the topic`(text: String, fault: String) {
        guard case .failure(let error) = read(text) else {
            Issue.record("\(text) was taken")
            return
        }
        #expect(error.message == fault)
    }
}
