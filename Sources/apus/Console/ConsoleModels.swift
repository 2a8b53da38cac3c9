import Foundation

// What the server tells its console, as far as `apus top` and `apus trace` use it. What one's credential may not see is
// missing.

/// The server's figures of the last second. Rates are per second.
struct ConsoleSample: Decodable, Sendable {
    struct Loop: Decodable, Sendable {
        var busy: Double?
        var connections: Int?
    }

    var at: String?
    var publishes: Double?
    var deliveries: Double?
    var bytesIn: Double?
    var bytesOut: Double?
    var connections: Double?
    var subscriptions: Double?
    var topics: Double?
    var drops: Double?
    var memory: Double?
    var memoryLimit: Double?
    /// Of one core.
    var cpu: Double?
    var loops: [Loop]?
    /// Those of the cluster; none if the server is alone.
    var nodes: [ClusterNodeRow]?
}

/// The same figures over the last minutes.
struct ConsoleHistory: Decodable, Sendable {
    var stepMs: Double?
    var series: [String: [Double?]]?

    /// The last points of a series, the newest at the end.
    func last(_ count: Int, of name: String) -> [Double?] {
        Array((series?[name] ?? []).suffix(count))
    }
}

/// One page of topics.
struct ConsoleTopics: Decodable, Sendable {
    struct Row: Decodable, Sendable {
        var name: String
        var messagesPerS: Double?
        var bytesPerS: Double?
        var subscribers: Int?
        var messages: Int?
        var history: Int?
        var bytes: Double?
        var durability: String?
    }

    var total: Int?
    var matching: Int?
    var rows: [Row]
}

/// The subscriptions that are behind the most.
struct ConsoleSubscribers: Decodable, Sendable {
    struct Lag: Decodable, Sendable {
        var messages: Int?
        var bytes: Double?
        var ms: Double?
    }

    struct LastDrop: Decodable, Sendable {
        var at: String?
        var reason: String?
        var messages: Int?
    }

    struct Row: Decodable, Sendable {
        var topic: String
        var clientId: String?
        var connection: Int?
        var address: String?
        var policy: String?
        var delivered: Int?
        var dropped: Int?
        var throttledMs: Double?
        var lag: Lag?
        var lastDrop: LastDrop?
    }

    var subscribers: [Row]
}

/// Where a message went.
struct ConsoleTrace: Decodable, Sendable {
    struct Subscriber: Decodable, Sendable {
        var connection: Int?
        var clientId: String?
        var address: String?
        var transport: String?
        var outcome: String?
        var reason: String?
        var at: String?
        /// How many messages wait before it.
        var ahead: Int?
    }

    struct Place: Decodable, Sendable {
        var topic: String
        var offset: Int?
        var at: String?
    }

    var found: Bool
    /// Whether everything that is kept was searched.
    var complete: Bool?
    /// How many subscriptions had each outcome; the list may be shorter.
    var outcomes: [String: Int]?
    var topic: String?
    var offset: Int?
    var at: String?
    var key: String?
    var bytes: Double?
    var stored: String?
    var subscribers: [Subscriber]?
    var gone: [Subscriber]?
    var others: [Place]?
}
