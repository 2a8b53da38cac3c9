import ApusBroker
import ApusProtocol
import Logging
import Testing

@testable import ApusServer

/// Which topics there are from the start, and what makes more.
@Suite struct TopicConfigurationTests {
    private static let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    @Test func `topics are declared in YAML, in JSON and as JSON in the environment alike`() throws {
        let json = #"[{"name":"orders","history":1000,"ttl":"30s"},{"name":"7","overflow":"latest","queue":null}]"#
        let yaml = """
            topics:
              declare:
                - name: orders
                  history: 1000
                  ttl: 30s
                - {name: 7, overflow: latest, queue: null}
            """
        var settings = TopicSettingsFields()
        settings.history = .some(1000)
        settings.ttl = .some(30_000)
        let declared = try load(yaml).configuration.topics.declared
        #expect(declared.count == 2 && declared[0] == TopicDeclaration(name: "orders", settings: settings))
        #expect(declared[1].name == "7" && declared[1].settings.queue == .some(nil))
        let others = [
            try load("{\"topics\":{\"declare\":\(json)}}", extension: "json"), try load("topics.declare: '\(json)'"),
            try ServerConfiguration.load(environment: ["APUS_TOPICS_DECLARE": json]),
        ]
        for other in others { #expect(other.configuration.topics.declared == declared) }
    }

    @Test(arguments: [
        (
            "[{name: orders, histroy: 5}]",
            """
            is not a list of topics: topic 1 ('orders'): 'histroy' is no setting of a topic; those are history, \
            history_age, history_bytes, queue, overflow, durability, dedupe_window, ttl, topic_rate, topic_burst
            """
        ),
        (
            "[{name: 'a*'}]",
            """
            is not a list of topics: topic 1 ('a*'): 'name' must be 1 to 255 bytes without control characters, '*' \
            and '>'
            """
        ),
        ("[orders]", "is not a list of topics: topic 1: it must be an object"),
        ("{name: orders}", "is not a list of topics: it must be a list"),
        (
            "orders",
            """
            is not a list of topics: it is not valid JSON: unexpected character at byte 0; write a list such as \
            [{"name":"orders"}]
            """
        ),
        ("[{name: a, queue: 100001}]", "has a queue of 100001, which is more than max_queue, 100000"),
    ])
    func `a bad declaration is named`(text: String, reason: String) throws {
        let error = #expect(throws: ConfigurationError.self) { try load("topics: {declare: \(text)}") }
        #expect(error?.setting == "topics.declare" && error?.reason == reason)
        #expect(error?.source?.hasPrefix("file ") == true)
    }

    @Test func `no more topics are declared than there may be`() {
        let error = #expect(throws: ConfigurationError.self) {
            try load("max_topics: 1\ntopics: {declare: [{name: a}, {name: b}]}")
        }
        #expect(error?.reason == "are more than max_topics, which is 1")
    }

    @Test func `what is not there is made, what is takes the settings that are named, any number of times`()
        async throws
    {
        let broker = MemoryBroker()
        let there = try broker.putTopic(named: "a") { $0.ttl = 5000 }.topic
        let first = try load("topics: {declare: [{name: a, history: 7}, {name: b}]}").configuration.topics.declared
        try await broker.declare(first, logger: Self.logger)
        #expect(broker.topic(named: "a") === there && Set(broker.topics.map(\.name)) == ["a", "b"])
        #expect(there.inspect(now: 0).settings.history == 7 && there.inspect(now: 0).settings.ttl == 5000)
        let second = try load("topics: {declare: [{name: a, ttl: null}]}").configuration.topics.declared
        try await broker.declare(second, logger: Self.logger)
        #expect(there.inspect(now: 0).settings.ttl == nil && there.inspect(now: 0).settings.history == 7)
        #expect(broker.topics.count == 2)
    }

    @Test(arguments: [
        ("publish", ["publish"]), ("[subscribe]", ["subscribe"]), ("[subscribe, publish]", ["publish", "subscribe"]),
        ("'subscribe, PUBLISH'", ["publish", "subscribe"]), ("both", ["publish", "subscribe"]), ("none", []),
        ("[]", []),
    ])
    func `what makes topics is a list of commands, or both or none`(text: String, commands: [String]) throws {
        let loaded = try load("topics: {create_on: \(text)}").configuration.topics.createOn
        #expect(loaded.map(\.rawValue).sorted() == commands)
    }

    @Test(arguments: ["pubish", "[publish, none]", "'publish,'", "true", "[both, publish]"])
    func `any other is refused`(text: String) {
        let error = #expect(throws: ConfigurationError.self) { try load("topics: {create_on: \(text)}") }
        #expect(error?.reason == "is not publish, subscribe, both, or none")
    }
}
