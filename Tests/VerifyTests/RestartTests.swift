import Synchronization
import Testing

@testable import ApusVerify

@Suite("A verification over restarts", .serialized, .timeLimit(.minutes(2)))
struct RestartTests {
    /// Runs with restarts at which `change` alters the first topic's log, once it has 40 messages that all have seen.
    private func verdict(
        restarts: Int = 1,
        change: @Sendable @escaping (inout [String]) -> Void
    ) async throws -> Verdict {
        try await FakeServer.withServer { port, broker in
            var settings = VerifySettings.forTests(port: port, dropEvery: 0.1...0.5)
            settings.patience = 1
            let (control, topic) = (VerifyControl(), settings.topicName(0))
            settings.restarts = VerifyRestarts(count: restarts) {
                _ = try await control.wait { (broker.topic(topic)?.last ?? 0) > 40 }
                broker.change(topic, change)
            }
            return try await VerifyRun(settings: settings, control: control).run()
        }
    }

    @Test func `that keep everything proves it, and says how many there were`() async throws {
        let verdict = try await verdict(restarts: 3) { _ in }
        #expect(verdict.isProven, "\(verdict.text)")
        #expect(verdict.sums.restarts == 3)
        #expect(verdict.text.contains("nothing vanished, over 3 restarts"))
        #expect(verdict.json.contains("\"restarts\":3"))
    }

    @Test func `finds messages that are gone though they were acked and seen`() async throws {
        let verdict = try await verdict { $0.removeLast(20) }
        #expect(!verdict.isProven, "\(verdict.text)")
    }

    @Test func `finds one that stands twice afterwards`() async throws {
        let verdict = try await verdict { $0[4] = $0[3] }
        #expect(verdict.sums.counts.doubled > 0 && !verdict.isProven, "\(verdict.text)")
    }

    @Test func `finds two that have changed places, though nobody reads them any more`() async throws {
        let verdict = try await verdict { $0.swapAt(1, 2) }
        #expect(verdict.sums.counts.vanished > 0 && !verdict.isProven, "\(verdict.text)")
    }

    @Test func `is broken off when the server does not come back`() async throws {
        let verdict = try await FakeServer.withServer { port, _ in
            var settings = VerifySettings.forTests(port: port)
            settings.restarts = VerifyRestarts(count: 1) { throw VerifyFailure(.refused, "no") }
            return try await VerifyRun(settings: settings).run()
        }
        #expect(verdict.failure == "the server did not come back: no")
        #expect(!verdict.isProven)
    }
}
