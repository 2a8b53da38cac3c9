import ApusClient
import Testing

@testable import ApusVerify

@Suite("A verification of several nodes", .serialized, .timeLimit(.minutes(2)))
struct NodesTests {
    /// Runs over two nodes of a cluster, the second with a fault.
    private func verdict(
        _ fault: FakeFault? = nil,
        dropEvery: ClosedRange<Double> = 0.1...0.3,
        seed: UInt64? = 1
    ) async throws -> Verdict {
        let seed = try #require(seed)
        return try await FakeServer.withServer { port, broker in
            try await FakeServer.withServer(fault, besides: broker) { otherPort, _ in
                var settings = VerifySettings.forTests(port: port, seed: seed, dropEvery: dropEvery)
                settings.others = [ServerAddress(host: "127.0.0.1", port: otherPort)]
                settings.patience = 1
                return try await VerifyRun(settings: settings).run()
            }
        }
    }

    @Test func `without faults proves it, while everybody moves`() async throws {
        let verdict = try await verdict()
        #expect(verdict.isProven, "\(verdict.text)")
        #expect(verdict.sums.moves > 8 && verdict.sums.published > 100, "\(verdict.text)")
        #expect(verdict.text.contains("the same on 2 nodes") && verdict.json.contains("\"nodes\":2"), "\(verdict.text)")
        guard case .balanced = verdict.books else {
            Issue.record("\(verdict.books)")
            return
        }
    }

    @Test func `finds what only one of them does wrong`() async throws {
        for fault in [FakeFault.loses, .resumesLate, .resumesEarly, .ordersOtherwise, .storesTwice, .withholdsLast] {
            let verdict = try await verdict(fault)
            #expect(!verdict.isProven && verdict.sums.counts.violations > 0, "\(fault): \(verdict.text)")
        }
    }

    @Test func `finds a message that is missing on a node that nobody was at`() async throws {
        let verdict = try await verdict(.loses, dropEvery: 60...61, seed: Self.seedOfTheFirst)
        let counts = VerifyCounts(delivered: verdict.sums.expected, vanished: 2)
        #expect(!verdict.isProven && verdict.sums.counts == counts, "\(verdict.text)")
        #expect(verdict.sums.violations.allSatisfy { $0.contains("reading again at") }, "\(verdict.text)")
    }

    @Test func `finds another order on a node that nobody was at`() async throws {
        let verdict = try await verdict(.ordersOtherwise, dropEvery: 60...61, seed: Self.seedOfTheFirst)
        #expect(!verdict.isProven && verdict.sums.counts.delivered == verdict.sums.expected, "\(verdict.text)")
        #expect(verdict.sums.violations.contains { $0.contains("reading again at") }, "\(verdict.text)")
    }

    @Test func `is not begun with servers of different clusters`() async throws {
        await #expect(throws: VerifyFailure.self) {
            try await FakeServer.withServer { port, _ in
                try await FakeServer.withServer { otherPort, _ in
                    var settings = VerifySettings.forTests(port: port)
                    settings.others = [ServerAddress(host: "127.0.0.1", port: otherPort)]
                    settings.topicPatience = 0.1
                    return try await VerifyRun(settings: settings).run()
                }
            }
        }
    }

    /// A seed with which every subscriber and publisher begins at the first node.
    private static let seedOfTheFirst: UInt64? = (1...100_000).first { seed in
        let places = (0..<8).map { "subscriber \($0)" } + (0..<4).map { "publisher \($0)" }
        return places.allSatisfy { place in
            var schedule = NodeSchedule(seed: seed, place: place, nodes: 2)
            return schedule.next() == 0
        }
    }
}
