import ApusBroker
import ApusProtocol
import ApusTesting

// What a client's commands come to, in one line each.

extension ManualLoop {
    static let time = Timestamp(milliseconds: 1_756_116_000_123)

    /// Publishes `{"n":number}`.
    @discardableResult
    func publish(_ number: Int, to name: String = "t", on hub: Int = 0) throws -> PublishOutcome {
        try publish(Self.message(number), to: name, on: hub)
    }

    @discardableResult
    func publish(_ text: String, to name: String = "t", on hub: Int = 0) throws -> PublishOutcome {
        var (text, name) = (text, name)
        let result = text.withUTF8 { text in
            name.withUTF8 { name in
                hubs[hub].publish(
                    UnsafeRawBufferPointer(text),
                    toTopicNamed: UnsafeRawBufferPointer(name),
                    time: Self.time
                )
            }
        }
        guard let result else { throw BrokerError(.topicNotFound, name) }
        return result.outcome
    }

    func publish(_ text: String, to topic: Topic, on hub: Int = 0) -> PublishOutcome {
        var text = text
        return text.withUTF8 { hubs[hub].publish(UnsafeRawBufferPointer($0), to: topic, time: Self.time) }
    }

    /// Publishes a range of numbers.
    func publish(_ numbers: some Sequence<Int>, to name: String = "t", on hub: Int = 0) throws {
        for number in numbers { try publish(number, to: name, on: hub) }
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
        try hubs[hub].subscribe(
            subscriber,
            to: name,
            clientID: clientID,
            lastN: lastN,
            options: SubscriptionOptions(queue: queue, overflow: overflow),
            limit: limit
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

    static func message(_ number: Int) -> String { "{\"n\":\(number)}" }
}

extension RecordingSubscriber {
    /// The numbers that came in, of all topics.
    var numbers: [Int] { messages.compactMap { Int($0.dropFirst(5).dropLast()) } }

    /// The records with events as numbers: `1 2 dropped(3) 6 deleted`.
    var summary: String {
        records.map { record in
            switch record {
            case .event(_, let message): "\(message.dropFirst(5).dropLast())"
            case .dropped(_, let count): "dropped(\(count))"
            case .deleted: "deleted"
            case .slowConsumer: "slow"
            case .malformed: "malformed"
            }
        }.joined(separator: " ")
    }
}

extension Sequence<Int> {
    /// The numbers as ``RecordingSubscriber/summary`` writes them.
    var summary: String { map(String.init).joined(separator: " ") }
}
