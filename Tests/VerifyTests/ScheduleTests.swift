import ApusClient
import ArgumentParser
import Testing

@testable import apus

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

    @Test func `options are checked`() {
        #expect(SecondsRange(argument: "0.2..2")?.range == 0.2...2)
        #expect(SecondsRange(argument: "2..2")?.range == 2...2)
        for wrong in ["", "1", "..", "2..1", "0..1", "a..b", "1..1e9", "nan..1"] {
            #expect(SecondsRange(argument: wrong) == nil)
        }
        #expect(TransportList(argument: "sse,ws,sse")?.transports == [.sse, .ws])
        for wrong in ["", "ws,", "tcp"] { #expect(TransportList(argument: wrong) == nil) }
        for wrong in ["--subscribers 0", "--rate 0", "--topics 9999", "--publishers 0", "a b", "--drop-every 1"] {
            #expect(throws: (any Error).self) {
                try VerifyCommand.parse(wrong.split(separator: " ").map(String.init))
            }
        }
        #expect(throws: Never.self) { try VerifyCommand.parse(["http://h", "--drop-every", "0.1..0.5"]) }
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
        VerifySettings(
            address: ServerAddress(host: "127.0.0.1", port: port),
            seed: seed,
            duration: 1,
            subscribers: subscribers,
            publishers: 4,
            topics: 2,
            rate: 300,
            transports: transports,
            dropEvery: dropEvery,
            patience: 5
        )
    }
}
