import ApusBroker
import ApusProtocol
import ApusTesting

/// A small world of hubs, topics and subscribers in which anything may happen, next to the naive model of it.
///
/// Everything follows from the seed.
final class RandomWorld {
    private static let names = ["a", "b", "c"]

    private var generator: SeededGenerator
    private let loop: ManualLoop
    private let model: NaiveModel
    private var clients: [Client] = []
    private var publishers: [ModelPublisher] = []
    private var topicCount: Int
    private var nextMessage = 0
    /// What was done, for the one who has to find out why it failed.
    private(set) var journal: [String] = []
    private(set) var mistakes: [String] = []

    private final class Client {
        let hub: Int
        let subscriber: RecordingSubscriber
        let expected: ExpectedSubscriber
        let overflow: OverflowPolicy
        let queue: Int
        let clientIDs: [String]
        let isSlow: Bool
        /// After so many more records it ends, in the midst of whatever brings them.
        var endsAfter = Int.max
        var endedAtDelivery: Int?

        init(
            hub: Int,
            subscriber: RecordingSubscriber,
            model: NaiveModel,
            isSlow: Bool,
            overflow: OverflowPolicy,
            queue: Int,
            clientIDs: [String]
        ) {
            self.hub = hub
            self.subscriber = subscriber
            self.expected = ExpectedSubscriber(model: model)
            self.isSlow = isSlow
            self.overflow = overflow
            self.queue = queue
            self.clientIDs = clientIDs
            expected.wasBlocked = isSlow
        }

        func receive(_ record: RecordingSubscriber.Record) {
            if endedAtDelivery != subscriber.deliveries { expected.receive(record) }
            guard case .event = record else { return }
            endsAfter -= 1
            guard endsAfter == 0, !expected.isOver else { return }
            // What came in the same delivery is on its way already.
            endedAtDelivery = subscriber.deliveries
            subscriber.disconnect()
            expected.disconnect()
        }
    }

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
        let history = [0, 1, 3, 10].randomElement(using: &generator) ?? 0
        let hubs = Int.random(in: 1...3, using: &generator)
        loop = ManualLoop(
            hubs: hubs,
            limits: MemoryBroker.Limits(history: history),
            seed: generator.next()
        )
        model = NaiveModel(history: history)
        topicCount = Int.random(in: 1...3, using: &generator)
        for name in Self.names.prefix(topicCount) { create(name) }
        for _ in 0..<Int.random(in: 1...5, using: &generator) { addClient() }
    }

    /// Does `steps` random things, lets everything come to rest, and checks that nothing is missing.
    func run(steps: Int) {
        for _ in 0..<steps where mistakes.isEmpty {
            step()
            collectMistakes()
        }
        guard mistakes.isEmpty else { return }
        finish()
        collectMistakes()
    }

    // MARK: Steps

    private func step() {
        let name = Self.names[Int.random(in: 0..<topicCount, using: &generator)]
        let client = clients[Int.random(in: clients.indices, using: &generator)]
        switch Int.random(in: 0..<100, using: &generator) {
        case 0..<40: publish(to: name)
        case 40..<55: subscribe(client, to: name)
        case 55..<60: unsubscribe(client, from: name)
        case 60..<63: delete(name)
        case 63..<67: create(name)
        case 67..<75: toggle(client)
        case 75..<77: client.endsAfter = min(client.endsAfter, Int.random(in: 1...5, using: &generator))
        case 77..<79: addClient()
        case 79..<94: run { loop.runNext() }
        default: run { loop.runUntilIdle() }
        }
    }

    private func run(_ body: () -> Void) {
        journal.append("turns")
        body()
    }

    private func addClient() {
        let hub = Int.random(in: loop.hubs.indices, using: &generator)
        let isSlow = generator.chance(30)
        let overflow = OverflowPolicy.allCases.randomElement(using: &generator) ?? .dropOldest
        let subscriber = RecordingSubscriber(
            on: loop.hubs[hub],
            dialect: generator.chance(50) ? .base : .v1,
            waterMark: .init(frames: Int.random(in: 1...4, using: &generator)),
            room: isSlow ? Int.random(in: 0...3, using: &generator) : .max
        )
        // What is dropped belongs to one subscription, but does not say to which.
        let isAlone = overflow == .dropOldest || generator.chance(50)
        let client = Client(
            hub: hub,
            subscriber: subscriber,
            model: model,
            isSlow: isSlow,
            overflow: overflow,
            queue: Int.random(in: 1...6, using: &generator),
            clientIDs: isAlone ? ["x"] : ["x", "y"]
        )
        subscriber.onRecord = { [unowned client] in client.receive($0) }
        clients.append(client)
        journal.append("client \(clients.count - 1) on hub \(hub), \(overflow) \(client.queue), slow: \(isSlow)")
    }

    private func publish(to name: String) {
        guard let index = model.index(of: name), let topic = loop.broker.topic(named: name) else { return }
        nextMessage += 1
        let publisher = ModelPublisher(
            message: ManualLoop.message(nextMessage),
            topic: topic,
            index: index,
            hub: Int.random(in: loop.hubs.indices, using: &generator),
            loop: loop
        )
        publisher.onPublished = { [unowned self] publisher in
            model.topics[publisher.index].messages.append(publisher.message)
            for client in clients { client.expected.checkThrottle() }
        }
        publishers.append(publisher)
        publisher.publishAgain()
        journal.append("publish \(nextMessage) to \(name) on hub \(publisher.hub): done \(publisher.isDone)")
    }

    private func subscribe(_ client: Client, to name: String) {
        let clientID = client.clientIDs.randomElement(using: &generator) ?? "x"
        let lastN = Int.random(in: 0...6, using: &generator)
        let number = clients.firstIndex { $0 === client } ?? -1
        guard !client.expected.isOver else { return }
        journal.append("client \(number) subscribes to \(name) as \(clientID), last_n \(lastN)")
        do {
            try loop.subscribe(
                client.subscriber,
                to: name,
                as: clientID,
                lastN: lastN,
                queue: client.queue,
                overflow: client.overflow,
                on: client.hub
            )
            guard let index = model.index(of: name) else { return mistakes.append("subscribed to no topic") }
            client.expected.subscribe(
                topic: index,
                clientID: clientID,
                lastN: lastN,
                queue: client.queue,
                overflow: client.overflow
            )
        } catch {
            if model.index(of: name) != nil { mistakes.append("cannot subscribe to \(name): \(error)") }
        }
    }

    private func unsubscribe(_ client: Client, from name: String) {
        guard !client.expected.isOver, let index = model.index(of: name) else { return }
        let clientID = client.clientIDs.randomElement(using: &generator) ?? "x"
        journal.append("client \(clients.firstIndex { $0 === client } ?? -1) unsubscribes from \(name) as \(clientID)")
        let isComplete = !client.expected.wasBlocked
        do {
            try loop.unsubscribe(client.subscriber, from: name, as: clientID, on: client.hub)
        } catch {
            mistakes.append("cannot unsubscribe from \(name): \(error)")
        }
        guard !client.expected.isOver else { return }
        client.expected.unsubscribe(topic: index, clientID: clientID, isComplete: isComplete)
    }

    private func delete(_ name: String) {
        guard let index = model.index(of: name) else { return }
        journal.append("delete \(name)")
        model.topics[index].isDeleted = true
        do { try loop.broker.deleteTopic(named: name) } catch { mistakes.append("cannot delete \(name): \(error)") }
    }

    private func create(_ name: String) {
        guard model.index(of: name) == nil else { return }
        journal.append("create \(name)")
        model.topics.append(NaiveModel.NaiveTopic(name: name))
        do { try loop.broker.createTopic(named: name) } catch { mistakes.append("cannot create \(name): \(error)") }
    }

    private func toggle(_ client: Client) {
        let number = clients.firstIndex { $0 === client } ?? -1
        if client.isSlow {
            journal.append("client \(number) takes some")
            return client.subscriber.take(Int.random(in: 1...5, using: &generator))
        }
        client.expected.wasBlocked = true
        let blocks = generator.chance(50)
        journal.append("client \(number) \(blocks ? "blocks" : "goes on")")
        if blocks { client.subscriber.block() } else { client.subscriber.unblock() }
    }

    // MARK: The end

    private func finish() {
        for client in clients {
            client.endsAfter = .max
            client.subscriber.unblock()
            if client.isSlow { client.subscriber.take(1 << 20) }
        }
        loop.runUntilIdle()
        for client in clients where !client.expected.isOver {
            client.expected.checkComplete()
            if !client.subscriber.isFlushed { mistakes.append("something was not flushed") }
            if !loop.hubs[client.hub].isCaughtUp(client.subscriber) { mistakes.append("a hub says it is not done") }
        }
        if !publishers.allSatisfy(\.isDone) { mistakes.append("a publisher waits for ever") }
        checkCounts()
        for client in clients { client.subscriber.disconnect() }
        loop.runUntilIdle()
        for topic in loop.broker.topics where topic.subscriberCount != 0 {
            mistakes.append("\(topic.name) has subscribers when all have gone")
        }
    }

    private func checkCounts() {
        for (index, naive) in model.topics.enumerated() where !naive.isDeleted {
            guard let topic = loop.broker.topic(named: naive.name) else {
                mistakes.append("\(naive.name) is gone")
                continue
            }
            let expected = clients.reduce(0) { $0 + $1.expected.count(of: index) }
            if topic.subscriberCount != expected {
                mistakes.append("\(naive.name) has \(topic.subscriberCount) subscribers, not \(expected)")
            }
            if topic.publishedCount != UInt64(naive.messages.count) {
                mistakes.append("\(naive.name) counts \(topic.publishedCount), not \(naive.messages.count)")
            }
        }
    }

    private func collectMistakes() {
        for (index, client) in clients.enumerated() {
            mistakes += client.expected.mistakes.map { "client \(index): \($0)" }
        }
    }
}
