public import ApusProtocol

/// What a topic may have of its own; `nil` is the server's setting, or none.
public struct TopicSettings: Sendable, Equatable {
    /// How many publications are kept for replay.
    public var history: Int?
    /// How old they may be, in milliseconds.
    public var historyAge: Int64?
    /// How many bytes they may take.
    public var historyBytes: Int?
    /// For subscriptions that name none.
    public var queue: Int?
    /// For subscriptions that name none.
    public var overflow: OverflowPolicy?
    /// For how long message ids are remembered, in milliseconds.
    public var dedupeWindow: Int64?
    /// The lifetime of publications that name none, in milliseconds.
    public var ttl: Int64?

    public init() {}
}

/// One message to publish, with what it may have besides.
public struct Publication {
    /// A JSON object.
    public var message: UnsafeRawBufferPointer
    /// The `id` in it, decoded; only looked at where a topic removes duplicates.
    public var id: String
    /// As a quoted JSON string.
    public var keyJSON: [UInt8]?
    /// In milliseconds.
    public var ttl: Int64?

    public init(message: UnsafeRawBufferPointer, id: String, keyJSON: [UInt8]? = nil, ttl: Int64? = nil) {
        self.message = message
        self.id = id
        self.keyJSON = keyJSON
        self.ttl = ttl
    }

    public init(message: UnsafeRawBufferPointer, id: String, key: String?, ttl: Int64? = nil) {
        self.init(message: message, id: id, keyJSON: key.map { Array(jsonString($0).utf8) }, ttl: ttl)
    }
}

/// Where publications went.
public struct PublishReceipt: Sendable, Equatable {
    /// The offset of the first of them; of the first one's first publication when all are duplicates.
    public var offset: Offset
    /// How many were appended.
    public var count: Int
    /// How many were not, because their ids were published lately.
    public var duplicates: Int
    /// How many subscriptions they are for.
    public var subscribers: Int

    public init(offset: Offset, count: Int = 1, duplicates: Int = 0, subscribers: Int = 0) {
        self.offset = offset
        self.count = count
        self.duplicates = duplicates
        self.subscribers = subscribers
    }

    public var isDuplicate: Bool { count == 0 }
}

/// What came of a publish.
public enum PublishOutcome: Sendable, Equatable {
    case published(PublishReceipt)
    /// A subscriber with the throttle policy is at its bound; the hub is told when there is room.
    case throttled
    /// Another loop that reads the topic is too far behind; the hub is told when it has looked.
    case held
    /// The topic has settings for which a bare message is not enough: publish a ``Publication``.
    case needsPublication
    /// The topic is gone.
    case deleted
}

/// Where something was published to, and what came of it.
public struct PublishResult: Sendable {
    /// `nil` when there is no topic of that name; the outcome is ``PublishOutcome/deleted`` then.
    public let topic: Topic?
    public let outcome: PublishOutcome
}
