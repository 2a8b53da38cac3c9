import ApusBroker
import ApusProtocol

extension Field {
    /// All fields beside the plain contract.
    static let all = ofClients + console

    private static let ofClients = [
        topics, sort, listLimit, subscriberSearch, tracedID, tracedTopic, traceLimit, idempotencyKey, messageID, key,
        ttl, outcome, messages, traceparent, tracestate, traceOfMessage, stateOfTrace, lastN, since, after, epoch,
        pageLimit, wait, lastEventID, lastEventIDQuery, clientID, overflow, queue, positions, echo, presence,
        waitForTopic, trace, history, historyAge, historyBytes, dedupeWindow, topicRate, topicBurst, durability,
    ]

    private static let streams = [Place.query(.followTopic), .query(.followTopics)]
    private static let listings = [Place.query(.listSubscribers), .query(.listTopicSubscribers)]
    private static let messageTrace = [Place.query(.traceMessage)]
    private static let page = [Place.query(.readMessages)]
    private static let post = [Place.query(.publishMessage)]
    private static let lifetime = 1...Int(CommandScanner.maxTTL)

    // MARK: Publishing

    static let idempotencyKey = Field(
        "Idempotency-Key",
        .text,
        in: [.header(.publishMessage)],
        component: "IdempotencyKey"
    ) { _ in 1...256 }
    static let messageID = Field("id", .text, in: post, component: "MessageID") { _ in 1...256 }
    static let key = Field("key", .text, in: [.publish] + post, component: "Key") { _ in 1...CommandScanner.maxKey }
    static let ttl = Field("ttl", .duration, in: [.publish, .settings] + post, component: "Lifetime") { _ in lifetime }
    static let outcome = Field("outcome", .flag, in: [.publish])
    static let messages = Field("messages", .messages, in: [.publish]) { 1...max($0.maxBatch, 1) }

    // MARK: Where a reader starts

    static let lastN = Field("last_n", .integer, in: streams + page, component: "LastN")
    static let since = Field("since", .schema("Since"), in: [.subscribe] + streams + page, component: "Since")
    static let after = Field("after", .schema("Count"), in: page, component: "After")
    static let epoch = Field("epoch", .text, in: page, component: "Epoch")
    static let lastEventID = Field(
        "Last-Event-ID",
        .schema("Position"),
        in: [.header(.followTopic)],
        component: "LastEventID"
    )
    static let lastEventIDQuery = Field(
        "last_event_id",
        .schema("Position"),
        in: [.query(.followTopic)],
        component: "LastEventIDQuery"
    )

    // MARK: Pages and lists

    static let pageLimit = Field("limit", .integer, in: page, component: "PageLimit", standard: "100") { _ in 1...1000 }
    static let wait = Field("wait", .duration, in: page, component: "Wait") { _ in 0...300_000 }
    static let sort = Field(
        "sort",
        .choice(Hub.ReportOrder.allCases.map(\.rawValue)),
        in: listings,
        component: "Sort",
        standard: #""since""#
    )
    static let listLimit = Field("limit", .integer, in: listings, component: "ListLimit", standard: "100") { _ in
        1...10_000
    }

    static let subscriberSearch = Field("search", .text, in: listings, component: "SubscriberSearch") { _ in 1...256 }
    static let tracedID = Field("id", .text, in: messageTrace, component: "TracedID") { _ in 1...1024 }
    static let tracedTopic = Field("topic", .schema("TopicName"), in: messageTrace, component: "TracedTopic")
    static let traceLimit = Field("limit", .integer, in: messageTrace, component: "TraceLimit", standard: "100") { _ in
        1...10_000
    }

    // MARK: Subscriptions

    static let topics = Field("topic", .topics, in: [.query(.followTopics)], component: "Topics") { _ in 1...100 }
    static let clientID = Field("client_id", .text, in: streams, component: "ClientID", standard: #""sse""#) {
        1...$0.maxClientID
    }
    static let overflow = Field("overflow", .policy, in: [.subscribe, .settings] + streams, component: "Overflow")
    static let queue = Field("queue", .integer, in: [.subscribe, .settings] + streams, component: "Queue") {
        1...max($0.maxQueue, 1)
    }
    static let positions = Field("positions", .flag, in: [.subscribe])
    static let echo = Field("echo", .flag, in: [.subscribe] + streams, component: "Echo")
    static let presence = Field(
        "presence",
        .flag,
        in: [.subscribe] + streams,
        component: "Presence",
        standard: "false"
    )
    static let trace = Field("trace", .flag, in: [.subscribe] + streams, component: "Trace", standard: "false")
    static let traceOfMessage = Field("trace", .traceContext, in: [.publish])
    static let traceparent = Field(
        "traceparent",
        .traceContext,
        in: [.header(.publishMessage)],
        component: "Traceparent"
    )
    static let stateOfTrace = Field("tracestate", .traceContext, in: [.publish])
    static let tracestate = Field(
        "tracestate",
        .traceContext,
        in: [.header(.publishMessage)],
        component: "Tracestate"
    )
    static let waitForTopic = Field("wait", .flag, in: [.subscribe] + streams, component: "WaitForTopic")

    // MARK: Settings of a topic

    static let history = Field("history", .integer, in: [.settings]) { _ in 0...TopicSettingsFields.maxHistory }
    static let historyAge = Field("history_age", .duration, in: [.settings]) { _ in lifetime }
    static let historyBytes = Field("history_bytes", .integer, in: [.settings]) { _ in
        0...TopicSettingsFields.maxHistoryBytes
    }
    static let dedupeWindow = Field("dedupe_window", .duration, in: [.settings]) { _ in lifetime }
    static let topicRate = Field("topic_rate", .rate, in: [.settings])
    static let topicBurst = Field("topic_burst", .integer, in: [.settings]) { _ in 1...Rate.most }
    static let durability = Field("durability", .choice(["memory", "os", "disk"]), in: [.settings])
}
