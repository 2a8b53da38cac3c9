import ApusBroker
import ApusProtocol
import ApusTesting

// What a client's commands come to, in one line each.

extension ManualLoop {
    private var time: Timestamp { Timestamp(clock.moment) }

    /// Publishes `{"n":number}`.
    @discardableResult
    func publish(_ number: Int, to name: String = "t", on hub: Int = 0, origin: UInt32 = 0) throws -> PublishOutcome {
        try publish(Self.message(number), to: name, on: hub, origin: origin)
    }

    @discardableResult
    func publish(
        _ text: String,
        to name: String = "t",
        on hub: Int = 0,
        origin: UInt32 = 0
    ) throws -> PublishOutcome {
        var (text, name) = (text, name)
        let result = text.withUTF8 { text in
            name.withUTF8 { name in
                hubs[hub].publish(
                    UnsafeRawBufferPointer(text),
                    toTopicNamed: UnsafeRawBufferPointer(name),
                    time: time,
                    origin: origin
                )
            }
        }
        guard result.topic != nil else { throw BrokerError(.topicNotFound, name) }
        return result.outcome
    }

    func publish(_ text: String, to topic: Topic, on hub: Int = 0) -> PublishOutcome {
        var text = text
        return text.withUTF8 { hubs[hub].publish(UnsafeRawBufferPointer($0), to: topic, time: time, origin: 0) }
    }

    /// Publishes a range of numbers.
    func publish(_ numbers: some Sequence<Int>, to name: String = "t", on hub: Int = 0) throws {
        for number in numbers { try publish(number, to: name, on: hub) }
    }

    /// Publishes numbers at once, with what they have besides.
    @discardableResult
    func publishBatch(
        _ items: [BatchItem],
        padding: String = "",
        to name: String = "t",
        on hub: Int = 0,
        origin: UInt32 = 0
    ) throws -> PublishOutcome {
        let texts = items.map { Array((Self.message($0.number).dropLast() + padding + "}").utf8) }
        let bytes = texts.flatMap(\.self)
        var name = name
        let result = bytes.withUnsafeBytes { bytes in
            var start = 0
            let publications = zip(items, texts).map { item, text in
                defer { start += text.count }
                return Publication(
                    message: UnsafeRawBufferPointer(rebasing: bytes[start..<(start + text.count)]),
                    id: item.id ?? "\(item.number)",
                    key: item.key,
                    ttl: item.ttl
                )
            }
            return name.withUTF8 {
                hubs[hub].publish(
                    publications,
                    toTopicNamed: UnsafeRawBufferPointer($0),
                    time: time,
                    origin: origin
                )
            }
        }
        guard result.topic != nil else { throw BrokerError(.topicNotFound, name) }
        return result.outcome
    }

    /// Publishes one number with what it has besides.
    @discardableResult
    func publish(
        _ number: Int,
        key: String? = nil,
        id: String? = nil,
        ttl: Int64? = nil,
        to name: String = "t",
        on hub: Int = 0
    ) throws -> PublishOutcome {
        try publishBatch([BatchItem(number, key: key, id: id, ttl: ttl)], to: name, on: hub)
    }

    @discardableResult
    func subscribe(
        _ subscriber: RecordingSubscriber,
        to name: String = "t",
        as clientID: String = "c",
        lastN: Int = 0,
        queue: Int = 1000,
        overflow: OverflowPolicy = .dropOldest,
        limit: Int = 100,
        on hub: Int = 0
    ) throws -> Topic {
        let request = SubscribeRequest(
            topic: name,
            clientID: clientID,
            start: .lastN(lastN),
            queue: queue,
            overflow: overflow
        )
        try subscribe(subscriber, request, limit: limit, on: hub)
        guard let topic = broker.topic(named: name) else { throw BrokerError.noTopic(named: name) }
        return topic
    }

    /// Subscribes as a client that wants positions.
    @discardableResult
    func follow(
        _ subscriber: RecordingSubscriber,
        _ name: String = "t",
        as clientID: String = "c",
        since start: ReplayStart = .lastN(0),
        queue: Int? = nil,
        overflow: OverflowPolicy? = nil,
        echo: Bool = true,
        on hub: Int = 0
    ) throws -> SubscribeReceipt {
        let request = SubscribeRequest(
            topic: name,
            clientID: clientID,
            start: start,
            queue: queue,
            overflow: overflow,
            detail: .positioned,
            echo: echo
        )
        return try subscribe(subscriber, request, on: hub)
    }

    @discardableResult
    func subscribe(
        _ subscriber: RecordingSubscriber,
        _ request: SubscribeRequest,
        limit: Int = 100,
        matches: Int = 100,
        on hub: Int = 0
    ) throws -> SubscribeReceipt {
        try hubs[hub].subscribe(
            subscriber,
            request,
            defaults: SubscriptionOptions(),
            limits: Hub.SubscriptionLimits(subscriptions: limit, matches: matches)
        )
    }

    func unsubscribe(
        _ subscriber: RecordingSubscriber,
        from name: String = "t",
        as clientID: String = "c",
        on hub: Int = 0
    ) throws {
        _ = try hubs[hub].unsubscribe(subscriber, from: name, clientID: clientID)
    }

    /// What all hubs together have done.
    var counters: HubCounters { hubs.map { $0.report() }.reduce(HubCounters(), +) }

    static func message(_ number: Int) -> String { "{\"n\":\(number)}" }
}

/// One message of a batch.
struct BatchItem {
    var number: Int
    var key: String?
    var id: String?
    var ttl: Int64?

    init(_ number: Int, key: String? = nil, id: String? = nil, ttl: Int64? = nil) {
        self.number = number
        self.key = key
        self.id = id
        self.ttl = ttl
    }
}

extension PublishOutcome {
    /// A single message's, taken at `offset` for so many subscriptions.
    static func published(_ offset: Offset, subscribers: Int = 0) -> PublishOutcome {
        .published(PublishReceipt(offset: offset, subscribers: subscribers))
    }

    /// Where it was taken, whoever it is for.
    var offset: Offset? {
        switch self {
        case .published(let receipt), .uncommitted(let receipt): receipt.offset
        default: nil
        }
    }
}
