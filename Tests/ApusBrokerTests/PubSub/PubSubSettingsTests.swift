import ApusBroker
import ApusTesting
import Testing

/// The options of a ``PubSub``, and the settings of its topics.
@Suite struct PubSubSettingsTests {
    @Test func `bounds below zero keep nothing, and refuse what they bound`() async throws {
        let none = PubSub(.init(maxMessage: .min, throttleTimeout: .seconds(-1)))
        try none.createTopic("t")
        let error = await #expect(throws: BrokerError.self) { try await none.publish("t", "1") }
        #expect(error?.code == .messageTooLarge)
        let few = PubSub(.init(maxTopics: .min))
        #expect(throws: BrokerError.self) { try few.createTopic("t") }
        let least = PubSub(.init(history: .min, queue: .min, maxDedupe: .min, topicBytes: .min))
        try least.putTopic("t", [.dedupeWindow(.seconds(60))])
        let subscription = try await least.subscribe("t")
        for number in 1...3 { try await least.publish("t", "\(number)", id: "a\(number)") }
        for try await delivery in subscription { if delivery.event?.payload == "3" { break } }
    }

    @Test func `a purged topic has no history, and its subscribers stay`() async throws {
        let apus = PubSub()
        try apus.createTopic("t")
        let subscription = try await apus.subscribe("t")
        for number in 1...3 { try await apus.publish("t", "\(number)") }
        #expect(try await apus.purgeTopic("t") == 3)
        #expect(try await apus.purgeTopic("t") == 0)
        let late = try await apus.subscribe("t", .init(start: .all))
        try await apus.publish("t", "4")
        #expect(try await subscription.payloads(4) == ["1", "2", "3", "4"])
        #expect(try await late.payloads(1) == ["4"])
        #expect(apus.topics.map(\.messages) == [4])
        for (name, code) in [("none", BrokerError.Code.topicNotFound), ("", .nameNotAllowed)] {
            let error = await #expect(throws: BrokerError.self) { try await apus.purgeTopic(name) }
            #expect(error?.code == code)
        }
    }

    @Test func `a topic's settings apply, nil resets them, and values that cannot be are refused`() async throws {
        let clock = ManualClock()
        let apus = PubSub(.init(history: 3), clock: clock)
        func kept() async throws -> [String] {
            let all = try await apus.subscribe("t", .init(start: .all))
            try await apus.publish("t", "0")
            var payloads: [String] = []
            while payloads.last != "0" { payloads += try await all.payloads(1) }
            return payloads.dropLast()
        }
        #expect(try apus.putTopic("t", [.history(1), .ttl(.seconds(10))]))
        for number in 1...5 { try await apus.publish("t", "\(number)") }
        #expect(try await kept() == ["5"])
        #expect(try !apus.putTopic("t", [.history(nil)]))
        for number in 1...5 { try await apus.publish("t", "\(number)") }
        #expect(try await kept() == ["3", "4", "5"])
        clock.advance(by: .seconds(11))
        #expect(try await kept() == [])
        let refused: [PubSub.TopicSetting] = [
            .history(-1), .history(.max), .historyBytes(-1), .queue(0), .queue(.max), .topicBurst(0),
            .historyAge(.zero), .ttl(.seconds(-1)), .dedupeWindow(.seconds(Int64.max)),
        ]
        for setting in refused {
            let error = #expect(throws: BrokerError.self) { try apus.putTopic("other", [.history(1), setting]) }
            #expect(error?.code == .badRequest, "\(setting)")
        }
        #expect(apus.topics.map(\.name) == ["t"])
    }
}
