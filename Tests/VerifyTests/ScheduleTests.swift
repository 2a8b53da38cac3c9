import ApusClient
import Testing

@testable import ApusVerify

@Suite("A schedule")
struct ScheduleTests {
    private func sends(seed: UInt64, number: Int = 0) -> [PublisherSchedule.Send] {
        var schedule = PublisherSchedule(seed: seed, number: number, publishers: 4, topics: 3, rate: 1_000)
        return (0..<2_000).map { _ in schedule.next() }
    }

    private func plans(seed: UInt64, number: Int = 0) throws -> [SessionPlan] {
        var schedule = SubscriberSchedule(
            seed: seed,
            number: number,
            settings: .forTests(port: 1, seed: seed),
            transports: VerifyTransport.allCases
        )
        return (0..<200).map { _ in schedule.nextSession() }
    }

    @Test func `is the same for the same seed and another for another`() throws {
        #expect(sends(seed: 1) == sends(seed: 1))
        #expect(sends(seed: 1) != sends(seed: 2))
        #expect(sends(seed: 1, number: 1) != sends(seed: 1, number: 2))
        #expect(try plans(seed: 1) == plans(seed: 1))
        #expect(try plans(seed: 1) != plans(seed: 2))
        #expect(try plans(seed: 1, number: 4) != plans(seed: 1, number: 8))
    }

    @Test func `keeps the rate and uses every topic, size and form`() {
        let sends = sends(seed: 7)
        let messages = sends.reduce(0) { $0 + $1.sizes.count }
        let seconds = sends.reduce(0) { $0 + $1.delay }
        #expect(abs(Double(messages) / seconds - 250) < 25)
        #expect(Set(sends.map(\.topic)) == [0, 1, 2])
        #expect(sends.contains { $0.isBatch } && sends.contains { !$0.isBatch })
        #expect(sends.contains { $0.sizes.contains { $0 > 2_000 } })
    }

    @Test func `cuts within its bounds, in the middle and at once too`() throws {
        let plans = try plans(seed: 7)
        #expect(plans.allSatisfy { $0.life.map { (0.2...2).contains($0) } ?? false })
        #expect(plans.contains { $0.cutsMidBatch } && plans.contains { $0.cutsAtOnce })
        #expect(!plans[0].cutsAtOnce)
        #expect(plans[1].endless.life == nil)
    }

    @Test func `gives a message an id that is a UUID and its own`() {
        let ids = (0..<100).map { number in
            VerifyPayload.id(seed: 1, topic: 0, label: MessageLabel(stream: 1, sequence: UInt32(number)))
        }
        #expect(Set(ids).count == 100)
        #expect(ids.allSatisfy { $0.utf8.count == 32 && UInt64($0.prefix(16), radix: 16) != nil })
    }
}

extension VerifySettings {
    /// Small and fast: two seconds, cut three times a second.
    static func forTests(
        port: Int,
        seed: UInt64 = 1,
        subscribers: Int = 8,
        transports: [VerifyTransport]? = nil,
        dropEvery: ClosedRange<Double> = 0.2...2
    ) -> VerifySettings {
        var settings = VerifySettings(
            address: ServerAddress(host: "127.0.0.1", port: port),
            seed: seed,
            duration: 1,
            subscribers: subscribers,
            publishers: 4,
            topics: 2,
            rate: 300,
            transports: transports,
            dropEvery: dropEvery
        )
        settings.patience = 5
        return settings
    }
}
