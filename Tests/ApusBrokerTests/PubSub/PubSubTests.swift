import ApusBroker
import ApusProtocol
import ApusTesting
import Testing

/// What only the in-process API has: readers that do not read, tasks that are cancelled, and nothing that is left
/// behind.
@Suite struct PubSubTests {
    private func waitUntil(_ body: () async -> Bool) async throws {
        while await !body() { try await Task.sleep(for: .milliseconds(1)) }
    }

    private func kind(_ delivery: PubSub.Delivery?) -> PubSub.Notice.Kind? {
        if case .notice(let notice) = delivery { notice.kind } else { nil }
    }

    @Test func `a payload is decoded as what it was encoded from`() async throws {
        struct Order: Codable, Equatable { var total: Int }
        let apus = PubSub()
        try apus.createTopic("orders")
        let orders = try await apus.subscribe("orders")
        try await apus.publish("orders", batch: [PubSub.Message(encoding: Order(total: 12), id: "a")])
        for try await delivery in orders {
            let event = try #require(delivery.event)
            #expect(try event.decode(Order.self) == Order(total: 12) && event.id == "a")
            break
        }
    }

    @Test(arguments: OverflowPolicy.allCases)
    func `a reader that stops is treated by its policy, and the memory it takes is bounded`(
        policy: OverflowPolicy
    ) async throws {
        var bounds = PubSub.Options(history: 10)
        // Nothing holds the loop up: what comes in one burst counts as lag, too.
        bounds.limits.loopPace = nil
        let apus = PubSub(bounds)
        try apus.createTopic("t")
        let options = PubSub.SubscribeOptions(queue: 10, overflow: policy, buffer: 1)
        let slow = try await apus.subscribe("t", options)
        let publishing = Task {
            for number in 1...100 { try await apus.publish("t", "\(number)", key: "k") }
        }
        if policy != .throttle { try await publishing.value }
        var events: [Int] = []
        var dropped = 0
        do {
            for try await delivery in slow {
                if let event = delivery.event { events.append(Int(event.payload) ?? 0) }
                if case .notice(let notice) = delivery, case .dropped(let count, _) = notice.kind { dropped += count }
                if events.last == 100 { break }
                if policy == .dropNewest, events.count + dropped == 100 { break }
            }
        } catch {
            #expect(error.code == .slowConsumer && policy == .disconnect)
            return
        }
        #expect(events == events.sorted() && Set(events).count == events.count)
        switch policy {
        case .throttle: #expect(events == Array(1...100) && dropped == 0)
        // A turn that comes late fills the buffer with a queue's worth at once; then another queue waits.
        case .dropOldest, .dropNewest: #expect(events.count + dropped == 100 && dropped >= 70, "\(dropped) dropped")
        case .latest: #expect(events.last == 100 && events.count < 30)
        case .disconnect: Issue.record("it was not ended")
        }
        try await publishing.value
    }

    @Test func `a publish that waits is given up with its task, and has published nothing`() async throws {
        let apus = PubSub()
        try apus.createTopic("t")
        let slow = try await apus.subscribe("t", .init(queue: 1, overflow: .throttle, buffer: 1))
        let publishing = Task {
            var published = 0
            do {
                for number in 1...1000 {
                    try await apus.publish("t", "\(number)")
                    published += 1
                }
            } catch let error as BrokerError {
                #expect(error.code == .cancelled)
            }
            return published
        }
        var last = -1
        try await waitUntil {
            let now = apus.topics[0].messages
            defer { last = now }
            try? await Task.sleep(for: .milliseconds(20))
            return now > 0 && now == last
        }
        publishing.cancel()
        let published = try await publishing.value
        #expect(published < 1000 && apus.topics[0].messages == published)
        #expect(try await slow.payloads(published) == (1...published).map(String.init))
    }

    @Test func `a subscription ends when nobody holds it, and when its task is cancelled`() async throws {
        let apus = PubSub()
        try apus.createTopic("t")
        var held: PubSub.Subscription? = try await apus.subscribe("t")
        #expect(apus.topics[0].subscribers == 1)
        withExtendedLifetime(held) {}
        held = nil
        try await waitUntil { apus.topics[0].subscribers == 0 }
        let reading = Task {
            let subscription = try await apus.subscribe("t")
            for try await _ in subscription {}
        }
        try await waitUntil { apus.topics[0].subscribers == 1 }
        reading.cancel()
        try await reading.value
        try await waitUntil { apus.topics[0].subscribers == 0 }
    }

    @Test func `a PubSub that is gone leaves no subscription in its broker, however many it had`() async throws {
        let broker = MemoryBroker()
        let topic = try broker.createTopic(named: "t")
        let count = 2 * TurnLimits().endings
        var held: [PubSub.Subscription] = []
        do {
            let apus = PubSub(sharing: broker, PubSub.Options()) { Moment(wall: 0, steady: 0) }
            for _ in 0..<count { held.append(try await apus.subscribe("t")) }
        }
        #expect(topic.subscriberCount == count)
        held = []
        try await waitUntil { topic.subscriberCount == 0 }
    }

    @Test func `what one publishes oneself is left out where that is wished`() async throws {
        let apus = PubSub()
        try apus.createTopic("t")
        let subscription = try await apus.subscribe("t", .init(echo: false))
        try await apus.publish("t", "1")
        try apus.deleteTopic("t")
        for try await delivery in subscription {
            #expect(kind(delivery) == .topicDeleted)
        }
    }

    @Test func `a message that cannot be is refused, and publishes none of its batch`() async throws {
        let apus = PubSub(.init(maxMessage: 100))
        try apus.createTopic("t")
        for payload in ["", "{", "1 2", "nul", "\"\u{1}\"", "[1,]"] {
            await #expect(throws: BrokerError.self) {
                try await apus.publish("t", batch: [PubSub.Message("1"), PubSub.Message(payload)])
            }
        }
        let large = "\"" + String(repeating: "x", count: 100) + "\""
        let error = await #expect(throws: BrokerError.self) { try await apus.publish("t", large) }
        #expect(error?.code == .messageTooLarge)
        await #expect(throws: BrokerError.self) { try await apus.publish("t", "1", id: "") }
        await #expect(throws: BrokerError.self) { try await apus.publish("t", "1", key: "") }
        await #expect(throws: BrokerError.self) { try await apus.publish("t", "1", ttl: .zero) }
        await #expect(throws: BrokerError.self) { try await apus.subscribe("t", .init(start: .time("yesterday"))) }
        #expect(apus.topics[0].messages == 0)
    }

    @Test func `many tasks publish and read at once, and every reader has all in one order`() async throws {
        let apus = PubSub()
        try apus.createTopic("t")
        var readers: [Task<[String], any Error>] = []
        for _ in 0..<20 {
            let subscription = try await apus.subscribe("t", .init(overflow: .throttle))
            readers.append(Task { try await subscription.payloads(2000) })
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for publisher in 0..<8 {
                group.addTask {
                    for number in 0..<250 { try await apus.publish("t", "\(publisher * 250 + number)") }
                }
            }
            try await group.waitForAll()
        }
        let first = try await readers[0].value
        #expect(Set(first).count == 2000)
        for reader in readers { #expect(try await reader.value == first) }
    }

    @Test func `lifetimes, ages and windows go by a clock that a test sets, whatever the wall clock says`() async throws
    {
        let clock = ManualClock()
        let apus = PubSub(clock: clock)
        try apus.putTopic("t", [.dedupeWindow(.seconds(60))])
        try await apus.publish("t", "1", id: "a", ttl: .seconds(60))
        try await apus.publish("t", "2", id: "b")
        clock.setWall(by: .seconds(-7200))
        #expect(try await apus.publish("t", "3", id: "b").count == 0)
        #expect(try await apus.subscribe("t", .init(start: .all)).payloads(2) == ["1", "2"])
        clock.advance(by: .seconds(61))
        #expect(try await apus.publish("t", "4", id: "b").count == 1)
        #expect(try await apus.subscribe("t", .init(start: .all)).payloads(2) == ["2", "4"])
        #expect(try await apus.subscribe("t", .init(start: .age(.seconds(30)))).payloads(1) == ["4"])
    }

    @Test func `two readers share what comes, and neither works while nothing does`() async throws {
        let apus = PubSub()
        try apus.createTopic("t")
        let subscription = try await apus.subscribe("t")
        let readers = (0..<2).map { _ in
            Task {
                var payloads: [String] = []
                while let delivery = try await subscription.next() {
                    if let event = delivery.event { payloads.append(event.payload) }
                }
                return payloads
            }
        }
        for number in 1...100 { try await apus.publish("t", "\(number)") }
        try apus.deleteTopic("t")
        var all: [String] = []
        for reader in readers { all += try await reader.value }
        #expect(Set(all) == Set((1...100).map(String.init)) && all.count == 100)
    }

    @Test func `a reader that is cancelled stops, though there is more to read`() async throws {
        let apus = PubSub()
        try apus.createTopic("t")
        let subscription = try await apus.subscribe("t")
        for number in 1...10 { try await apus.publish("t", "\(number)") }
        let reading = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await subscription.next()
        }
        #expect(try await reading.value == nil)
        #expect(try await subscription.payloads(1) == ["1"])
    }

    @Test func `a reader of news who does not read is given no more than its buffer holds`() async throws {
        let apus = PubSub()
        try apus.createTopic("t")
        let watcher = try await apus.subscribe("t", .init(hasPresence: true, buffer: 1000))
        let reader = try await apus.subscribe("t", .init(hasPresence: true))
        for _ in 0..<2000 { _ = try await apus.subscribe("t") }
        // Who reads has heard of every coming and going, or how many were left out, before the topic goes.
        var heard = 0
        while heard < 4000, case .notice(let notice) = try #require(try await reader.next()) {
            if case .presenceDropped(let count) = notice.kind { heard += count } else { heard += 1 }
        }
        #expect(heard == 4000)
        try apus.deleteTopic("t")
        var kinds: [PubSub.Notice.Kind] = []
        for try await case .notice(let notice) in watcher { kinds.append(notice.kind) }
        #expect(kinds.count < 200 && kinds.last == .topicDeleted)
        #expect(kinds.contains { if case .presenceDropped = $0 { true } else { false } })
    }

    @Test func `extreme options neither crash nor hold more than they may`() async throws {
        let longest = Duration.seconds(Int64.max)
        var options = PubSub.Options(queue: .max, overflow: .disconnect, throttleTimeout: longest)
        options.liveTimeout = longest
        let apus = PubSub(options)
        try apus.createTopic("t")
        let subscription = try await apus.subscribe("t", .init(start: .age(longest), queue: .max, buffer: 1))
        for number in 1...100 { try await apus.publish("t", "\(number)") }
        #expect(try await subscription.payloads(100) == (1...100).map(String.init))
    }

    @Test func `what cannot be resumed is the first that a subscription tells`() async throws {
        let apus = PubSub(.init(history: 1))
        try apus.createTopic("t")
        let position = try await apus.publish("t", "1").position
        for number in 2...4 { try await apus.publish("t", "\(number)") }
        let late = try await apus.subscribe("t", .init(start: .after(position)))
        #expect(kind(try await late.next()) == .gap(.missed(2...3)))
        #expect(try await late.next()?.event?.payload == "4")
        let other = PubSub.Position(epoch: "other", offset: 1)
        let again = try await apus.subscribe("t", .init(start: .after(other)))
        #expect(kind(try await again.next()) == .gap(.newEpoch))
        let next = try #require(late.position)
        #expect(next.offset == 3 && next.epoch == position.epoch)
    }

    @Test func `a pattern neither resumes nor waits, and a refused one leaves nothing behind`() async throws {
        let apus = PubSub()
        try apus.createTopic("a.b")
        let position = try await apus.publish("a.b", "1").position
        for options in [
            PubSub.SubscribeOptions(start: .after(position)), .init(start: .all), .init(waitsForTopic: true),
            .init(createsTopic: true),
        ] {
            let error = await #expect(throws: BrokerError.self) { try await apus.subscribe("a.*", options) }
            #expect(error?.code == .badRequest)
        }
        #expect(apus.topics[0].subscribers == 0)
        #expect(try await apus.subscribe("a.*", .init(start: .last(1))).payloads(1) == ["1"])
    }
}
