import ApusClient
import Testing

@testable import ApusVerify

@Suite("A verification", .serialized, .timeLimit(.minutes(2)))
struct VerifyRunTests {
    private func verdict(
        _ fault: FakeFault? = nil,
        hasHTTP: Bool = true,
        dropEvery: ClosedRange<Double> = 0.1...0.5,
        transports: [VerifyTransport]? = nil,
        change: @Sendable @escaping (inout VerifySettings) -> Void = { _ in }
    ) async throws -> Verdict {
        try await FakeServer.withServer(fault, hasHTTP: hasHTTP) { port, broker in
            var settings = VerifySettings.forTests(port: port, transports: transports, dropEvery: dropEvery)
            change(&settings)
            let verdict = try await VerifyRun(settings: settings).run()
            // Whatever came out, nothing is left behind.
            #expect(broker.topicNames.isEmpty)
            return verdict
        }
    }

    @Test func `of a server without faults proves it, over every transport`() async throws {
        let verdict = try await verdict()
        #expect(verdict.isProven, "\(verdict.text)")
        #expect(verdict.percent == "100")
        #expect(verdict.sums.published > 100)
        #expect(verdict.sums.byTransport.count == 4)
        for (transport, sums) in verdict.sums.byTransport {
            #expect(sums.reconnects > 1 && sums.delivered > 50, "\(transport)")
        }
        #expect(verdict.sums.recovery.count > 5)
        guard case .balanced = verdict.books else {
            Issue.record("\(verdict.books)")
            return
        }
    }

    @Test func `without the HTTP extensions uses WebSockets alone, and says so`() async throws {
        let verdict = try await verdict(hasHTTP: false)
        #expect(verdict.isProven, "\(verdict.text)")
        #expect(Set(verdict.sums.byTransport.keys) == [.ws, .v1])
        #expect(verdict.sums.notes.contains { $0.contains("no PUT") })
        #expect(verdict.sums.notes.contains { $0.contains("without sse") })
        #expect(verdict.sums.notes.contains { $0.contains("no POST") })
        await #expect(throws: VerifyFailure.self) {
            try await self.verdict(hasHTTP: false, transports: [.ws, .poll])
        }
    }

    @Test(arguments: VerifyTransport.allCases)
    func `finds loss, doubling, reordering and damage on every transport`(transport: VerifyTransport) async throws {
        // Long connections, so that no reconnect turns one fault into another.
        let calm = 60.0...61.0
        func counts(_ fault: FakeFault) async throws -> VerifyCounts {
            let verdict = try await verdict(fault, dropEvery: calm, transports: [transport])
            #expect(!verdict.isProven, "\(fault)")
            var counts = verdict.sums.counts
            counts.delivered = verdict.sums.expected - counts.delivered
            return counts
        }
        // Two topics with four subscribers each; `delivered` is what is missing there.
        #expect(try await counts(.loses) == VerifyCounts(delivered: 8, lost: 8))
        #expect(try await counts(.doubles) == VerifyCounts(doubled: 8))
        #expect(try await counts(.reorders) == VerifyCounts(reordered: 8))
        #expect(try await counts(.damages) == VerifyCounts(damaged: 8))
    }

    @Test func `counts what was announced, and is not content with it unless told`() async throws {
        let strict = try await verdict(.announcesDrop, dropEvery: 60...61, transports: [.ws, .sse])
        #expect(!strict.isProven)
        #expect(strict.sums.counts.announced == 8 && strict.sums.counts.violations == 0, "\(strict.text)")
        #expect(strict.percent.hasPrefix("9"))
        let lenient = try await verdict(.announcesDrop, transports: [.ws, .v1]) { $0.allowsDrops = true }
        #expect(lenient.isProven, "\(lenient.text)")
        let resumed = try await verdict(.forgetsOnResume)
        #expect(!resumed.isProven)
        #expect(resumed.sums.counts.announced > 0 && resumed.sums.counts.lost == 0, "\(resumed.text)")
    }

    @Test func `finds the last message missing`() async throws {
        let verdict = try await verdict(.withholdsLast, dropEvery: 60...61, transports: [.ws]) { $0.patience = 1 }
        #expect(verdict.sums.counts.lost == 8, "\(verdict.text)")
    }

    @Test(arguments: VerifyTransport.allCases)
    func `finds a resume that begins too late or too early`(transport: VerifyTransport) async throws {
        let late = try await verdict(.resumesLate, transports: [transport])
        #expect(late.sums.counts.lost > 0 && !late.isProven)
        let early = try await verdict(.resumesEarly, transports: [transport])
        #expect(early.sums.counts.doubled > 0 && !early.isProven)
    }

    @Test(arguments: [
        FakeFault.acksWrongOffset, .acksWithoutStoring, .storesTwice, .storesBackwards, .changesEpoch, .leaksTopics,
    ]
    )
    func `finds what is wrong with acks, storage, epochs and topics`(fault: FakeFault) async throws {
        let verdict = try await verdict(fault)
        #expect(!verdict.isProven)
        let counts = verdict.sums.counts
        switch fault {
        case .acksWrongOffset, .acksWithoutStoring: #expect(counts.misplaced > 0, "\(verdict.text)")
        case .storesTwice: #expect(counts.doubled > 0, "\(verdict.text)")
        case .storesBackwards: #expect(counts.reordered > 0 || counts.misplaced > 0, "\(verdict.text)")
        case .leaksTopics: #expect(counts.faults > 0, "\(verdict.text)")
        default: #expect(verdict.failure != nil || counts.misplaced > 0, "\(verdict.text)")
        }
    }

    @Test func `finds books that do not add up`() async throws {
        let verdict = try await verdict(.cooksBooks, transports: [.ws])
        #expect(!verdict.isProven)
        #expect(verdict.sums.counts.violations == 0)
        guard case .violated = verdict.books else {
            Issue.record("\(verdict.books)")
            return
        }
    }

    @Test(arguments: [FakeFault.refusesSome, .breaksPublishers]
    )
    func `takes refusals and broken publishers for what they are`(fault: FakeFault) async throws {
        let verdict = try await verdict(fault)
        #expect(verdict.isProven, "\(verdict.text)")
        #expect(verdict.sums.refused + verdict.sums.unanswered > 0)
    }

    @Test func `of a topic that goes away ends early`() async throws {
        try await FakeServer.withServer { port, broker in
            var settings = VerifySettings.forTests(port: port, dropEvery: 0.1...0.5)
            settings.duration = 60
            let control = VerifyControl()
            let name = settings.topicName(0)
            async let deletion: Void = {
                _ = try await control.wait { control.sums.published > 50 }
                _ = broker.delete(name)
            }()
            let verdict = try await VerifyRun(settings: settings, control: control).run()
            try await deletion
            #expect(verdict.failure?.contains(name) == true, "\(verdict.text)")
            #expect(!verdict.isProven)
            #expect(broker.topicNames.isEmpty)
        }
    }

    @Test func `that is interrupted still judges what was, and clears up`() async throws {
        try await FakeServer.withServer { port, broker in
            var settings = VerifySettings.forTests(port: port)
            settings.duration = 60
            let control = VerifyControl()
            async let interruption: Void = {
                _ = try await control.wait { control.sums.published > 50 }
                control.interrupt()
            }()
            let verdict = try await VerifyRun(settings: settings, control: control).run()
            try await interruption
            #expect(verdict.isProven && verdict.isInterrupted, "\(verdict.text)")
            #expect(broker.topicNames.isEmpty)
        }
    }

    @Test func `of nobody is unreachable`() async throws {
        let error = await #expect(throws: ClientError.self) {
            try await VerifyRun(settings: .forTests(port: 1)).run()
        }
        #expect(error?.code == .unreachable)
    }
}
