package import ApusProtocol

/// The settings of one topic. `nil` means the server's setting, or none.
package struct TopicSettings: Sendable, Equatable {
    /// The number of publications kept for replay.
    package var history: Int?
    /// The maximum age of publications kept for replay, in milliseconds.
    package var historyAge: Int64?
    /// The maximum bytes of publications kept for replay.
    package var historyBytes: Int?
    /// The default for subscriptions that give none, in messages.
    package var queue: Int?
    /// The default for subscriptions that give none.
    package var overflow: OverflowPolicy?
    /// How long message ids are remembered, in milliseconds.
    package var dedupeWindow: Int64?
    /// The lifetime of publications that give none, in milliseconds.
    package var ttl: Int64?
    /// How many messages may be published; ``Rate/off`` for any number of them.
    package var topicRate: Rate?
    /// How many of them may come at once. A topic with a rate of its own and no burst has one second's worth.
    package var topicBurst: Int?
    /// What acked messages survive.
    package var durability: Durability?

    package init() {}

    /// The limit that applies to a topic: its own where it has one.
    package func rateLimit(_ standard: RateLimit?) -> RateLimit? {
        guard topicRate != nil || topicBurst != nil else { return standard }
        return (topicRate ?? standard?.rate).flatMap { RateLimit($0, burst: topicBurst ?? 0) }
    }
}

/// One message to publish, with its options.
package struct Publication {
    /// A JSON object.
    package var message: UnsafeRawBufferPointer
    /// The decoded `id` of the message. Used only if the topic removes duplicates.
    package var id: String
    /// The key as a quoted JSON string.
    package var keyJSON: [UInt8]?
    /// The lifetime in milliseconds.
    package var ttl: Int64?
    package var trace: TraceContext?

    package init(
        message: UnsafeRawBufferPointer,
        id: String,
        keyJSON: [UInt8]? = nil,
        ttl: Int64? = nil,
        trace: TraceContext? = nil
    ) {
        self.message = message
        self.id = id
        self.keyJSON = keyJSON
        self.ttl = ttl
        self.trace = trace
    }

    package init(message: UnsafeRawBufferPointer, id: String, key: String?, ttl: Int64? = nil) {
        self.init(message: message, id: id, keyJSON: key.map { jsonBytes($0) }, ttl: ttl)
    }
}

/// The result of a publish.
package struct PublishReceipt: Sendable, Equatable {
    /// The offset of the first new message. If all are duplicates, the offset where the first one was published before.
    package var offset: Offset
    /// The number of messages appended.
    package var count: Int
    /// The number of messages refused because their ids were within the dedupe window.
    package var duplicates: Int
    /// The number of subscriptions that the messages are for.
    package var subscribers: Int
    /// What the messages survive, once they are published.
    package var stored = Durability.memory
    /// The place of the message with that offset, if the offset may still move, see ``Relocation``.
    var place = UInt64.max

    package init(offset: Offset, count: Int = 1, duplicates: Int = 0, subscribers: Int = 0) {
        self.offset = offset
        self.count = count
        self.duplicates = duplicates
        self.subscribers = subscribers
    }

    package var isDuplicate: Bool { count == 0 }

    /// Whether the offset may be another one when the commit is kept, see ``Relocation``.
    package var mayMove: Bool { place != .max }
}

/// The outcome of a publish.
package enum PublishOutcome: Sendable, Equatable {
    case published(PublishReceipt)
    /// Published once ``Hub/newestCommit`` is kept. ``Hub/wait(_:for:)`` tells what came of it.
    ///
    /// The commit is not here: a class would make every outcome, of topics that keep nothing as well, cost more.
    case uncommitted(PublishReceipt)
    /// A throttling subscription is at its bound. The hub is told when there is room.
    case throttled
    /// Another loop that reads the topic is too far behind. The hub is told when that loop has looked at the topic.
    case held
    /// The topic has settings for which a bare message is not enough. Publish a ``Publication`` instead.
    case needsPublication
    /// The topic's rate is used up. Nothing was published. The value says when to try again, in milliseconds.
    case rateLimited(Int64)
    /// The topic is deleted.
    case deleted
}

/// The topic that was published to, and the outcome.
package struct PublishResult: Sendable {
    /// `nil` when there is no topic of that name. The outcome is then ``PublishOutcome/deleted``.
    package let topic: Topic?
    package let outcome: PublishOutcome
}
