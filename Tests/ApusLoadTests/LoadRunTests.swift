import Testing

@testable import ApusLoad

@Suite(.serialized) struct LoadRunTests {
    /// A short run against a peer with a fault.
    private func run(
        _ fault: FakePeer.Fault,
        _ change: (inout LoadSettings) -> Void = { _ in }
    ) async throws -> LoadResult {
        let peer = try FakePeer(fault)
        defer { peer.stop() }
        var settings = LoadSettings(
            wire: FakeProtocol(),
            address: try LoadAddress(host: "127.0.0.1", port: peer.port),
            topicPrefix: "t"
        )
        settings.subscribers = 3
        settings.pace = .window(4)
        settings.duration = 0.3
        settings.warmup = 0.1
        settings.patience = 0.3
        settings.serverPIDs = []
        change(&settings)
        return try await LoadRun(settings: settings).run()
    }

    @Test func `a peer that does everything right has no violations`() async throws {
        // A run that had no turn while it was measured, beside all that other tests do, says nothing.
        var result = try await run(.none)
        for seconds in [3.0, 30] where result.deliveries.perSecond == 0 {
            result = try await run(.none) { $0.duration = seconds }
        }
        #expect(result.violations == [])
        #expect(result.deliveries.expected == result.publishes.total * 3)
        #expect(result.deliveries.received == result.deliveries.expected)
        #expect(result.publishes.total > 50)
        #expect(result.publishes.acked == result.publishes.total)
        #expect(result.deliveries.perSecond > 0)
        let latency = try #require(result.latency)
        #expect(latency.p50 > 0 && latency.p50 <= latency.p99 && latency.p99 <= latency.max)
        #expect(result.ackLatency != nil)
        #expect(result.serverUsage == nil)
        #expect(!result.timeline.isEmpty)
    }

    @Test func `lost messages are found`() async throws {
        let result = try await run(.loses)
        #expect(result.deliveries.lost >= result.publishes.total / 10 * 3)
        #expect(result.deliveries.unannounced == result.deliveries.lost)
        #expect(result.deliveries.doubled == 0 && result.deliveries.outOfOrder == 0)
        #expect(result.violations.contains { $0.hasSuffix("deliveries lost") })
        #expect(result.deliveries.worstShare < 0.95)
    }

    @Test func `lost messages that were announced are no violation`() async throws {
        let result = try await run(.losesAndTells)
        #expect(result.deliveries.lost > 0)
        #expect(result.deliveries.announced == result.deliveries.lost)
        #expect(result.violations == [])
    }

    @Test func `doubled messages are found`() async throws {
        let result = try await run(.doubles)
        #expect(result.deliveries.doubled == result.publishes.total / 10 * 3)
        #expect(result.deliveries.lost == 0)
        #expect(result.violations.contains { $0.hasSuffix("deliveries doubled") })
    }

    @Test func `swapped messages are found`() async throws {
        let result = try await run(.swaps)
        #expect(result.deliveries.outOfOrder >= (result.publishes.total - 1) / 10 * 3)
        #expect(result.deliveries.doubled == 0)
        #expect(result.violations.contains { $0.hasSuffix("deliveries out of order") })
    }

    @Test func `an open loop counts latency from the time a message was due`() async throws {
        let result = try await run(.pauses(200_000)) {
            $0.pace = .rate(200)
            $0.warmup = 0
            $0.duration = 0.5
            $0.waiting = .sleep
        }
        let latency = try #require(result.latency)
        // In 200 ms of silence 40 of 100 messages fall due: a generator that waited with them would see one slow one.
        #expect(latency.max >= 190_000)
        #expect(latency.p90 >= 100_000)
        #expect((90...101).contains(result.publishes.total))
        #expect(result.generator.lateness != nil)
    }

    @Test func `several threads share publishers and subscribers`() async throws {
        let result = try await run(.none) {
            $0.threads = 2
            $0.publishers = 4
            $0.subscribers = 5
        }
        #expect(result.violations == [])
        #expect(result.deliveries.received == result.publishes.total * 5)
    }

    @Test func `credit by delivery waits for the delivery`() async throws {
        let result = try await run(.none) {
            $0.credit = .delivery
            $0.window(1)
        }
        #expect(result.violations == [])
        #expect(result.publishes.total > 10)
    }

    @Test func `an interrupted run has a result of what was done until then`() async throws {
        let peer = try FakePeer()
        defer { peer.stop() }
        var settings = LoadSettings(
            wire: FakeProtocol(),
            address: try LoadAddress(host: "127.0.0.1", port: peer.port),
            topicPrefix: "t"
        )
        settings.duration = 600
        settings.serverPIDs = []
        let control = LoadControl()
        let run = LoadRun(settings: settings, control: control)
        async let running = run.run()
        while control.progress.delivered < 100 { try await Task.sleep(for: .milliseconds(5)) }
        control.interrupt()
        let result = try await running
        #expect(result.isInterrupted)
        #expect(result.deliveries.received == result.deliveries.expected)
        #expect(result.violations == [])
    }

    @Test func `a port where nobody listens is unreachable`() async throws {
        let peer = try FakePeer()
        let port = peer.port
        peer.stop()
        try await Task.sleep(for: .milliseconds(100))
        let settings = LoadSettings(
            wire: FakeProtocol(),
            address: try LoadAddress(host: "127.0.0.1", port: port),
            topicPrefix: "t"
        )
        let failure = await #expect(throws: LoadFailure.self) { try await LoadRun(settings: settings).run() }
        #expect(failure?.reason == .unreachable)
    }
}

extension LoadSettings {
    fileprivate mutating func window(_ messages: Int) {
        pace = .window(messages)
    }
}
