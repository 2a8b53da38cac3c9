import ApusBroker
import ApusProtocol

// What consoles ask for.

extension Field {
    static let console = [
        consoleView, topicSearch, topicPrefix, tree, topicSort, consoleSort, topicOrder, topicLimit, topicOffset,
        consoleTopic, logAfter, logLimit,
    ]

    private static let stream = [Place.query(.followConsole)]
    private static let ofTopics = [Place.query(.followConsole), .query(.getConsoleTopics)]
    private static let ofLog = [Place.query(.getConsoleLog)]

    static let consoleView = Field(
        "view",
        .choice(ConsoleQuery.View.allCases.map(\.rawValue)),
        in: stream,
        component: "ConsoleView",
        standard: #""none""#
    )
    static let topicSearch = Field("search", .text, in: ofTopics, component: "TopicSearch") { _ in 0...TopicName.maxSize
    }
    static let topicPrefix = Field("prefix", .text, in: ofTopics, component: "TopicPrefix") { _ in 0...TopicName.maxSize
    }
    static let tree = Field("tree", .flag, in: ofTopics, component: "Tree", standard: "false")
    static let topicSort = Field(
        "sort",
        .choice(TopicQuery.Sort.allCases.map(\.rawValue)),
        in: [.query(.getConsoleTopics)],
        component: "TopicSort",
        standard: #""name""#
    )
    static let consoleSort = Field(
        "sort",
        .choice(TopicQuery.Sort.allCases.map(\.rawValue) + Hub.ReportOrder.allCases.map(\.rawValue)),
        in: stream,
        component: "ConsoleSort"
    )
    static let topicOrder = Field(
        "order",
        .choice(TopicQuery.Order.allCases.map(\.rawValue)),
        in: ofTopics,
        component: "TopicOrder"
    )
    static let topicLimit = Field("limit", .integer, in: ofTopics, component: "TopicLimit", standard: "100") { _ in
        1...1000
    }
    static let topicOffset = Field("offset", .integer, in: ofTopics, component: "TopicOffset", standard: "0") { _ in
        0...10_000_000
    }
    static let consoleTopic = Field("topic", .text, in: stream, component: "ConsoleTopic") { _ in 1...TopicName.maxSize
    }
    static let logAfter = Field("after", .integer, in: ofLog, component: "LogAfter", standard: "0")
    static let logLimit = Field("limit", .integer, in: ofLog, component: "LogLimit", standard: "1000") { _ in
        1...RecentLog.limit
    }
}
