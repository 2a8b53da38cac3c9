import Testing

@testable import ApusLoad

struct LoadSettingsTests {
    private func settings(_ change: (inout LoadSettings) -> Void = { _ in }) throws -> LoadSettings {
        var settings = LoadSettings(
            wire: ApusWireProtocol(host: "h"),
            address: try LoadAddress(host: "127.0.0.1", port: 1),
            topicPrefix: "t"
        )
        change(&settings)
        return settings
    }

    private func refusal(_ change: (inout LoadSettings) -> Void) throws -> String? {
        let settings = try settings(change)
        do throws(LoadFailure) {
            try settings.validate()
            return nil
        } catch {
            #expect(error.reason == .impossible)
            return error.message
        }
    }

    @Test func `the defaults are possible`() throws {
        #expect(try refusal { _ in } == nil)
    }

    @Test func `what cannot be done is refused with the reason`() throws {
        let refused: [(String, (inout LoadSettings) -> Void)] = [
            ("nothing to do", { ($0.subscribers, $0.publishers) = (0, 0) }),
            ("fewer than 0", { $0.subscribers = -1 }),
            ("topics must be", { $0.topics = 0 }),
            ("topics must be", { $0.topics = 100_001 }),
            ("publishers must be", { $0.publishers = 70_000 }),
            ("threads must be", { $0.threads = 0 }),
            ("cannot be slow", { $0.stalled = 2 }),
            ("too small for the numbers", { $0.payloadBytes = 41 }),
            ("at most", { $0.payloadBytes = 1 << 30 }),
            ("duration", { $0.duration = 0 }),
            ("window must be", { $0.pace = .window(0) }),
            ("rate must be", { $0.pace = .rate(.infinity) }),
            ("kept track of", { ($0.subscribers, $0.publishers) = (60_000, 60_000) }),
            ("needs a subscriber", { ($0.credit, $0.topics) = (.delivery, 2) }),
        ]
        for (reason, change) in refused {
            let message = try refusal(change)
            #expect(message?.contains(reason) == true, "\(message ?? "accepted") should say \(reason)")
        }
    }

    @Test func `a smallest payload holds its mark`() throws {
        #expect(try refusal { $0.payloadBytes = 42 } == nil)
    }

    @Test func `more connections than files are refused with both numbers`() throws {
        let settings = try settings { ($0.subscribers, $0.publishers) = (40_000_000, 1) }
        let failure = #expect(throws: LoadFailure.self) { try settings.claimFiles() }
        #expect(failure?.message.contains("40000001 connections") == true)
        #expect(failure?.message.contains("ulimit") == true)
    }

    @Test func `stalled subscribers are spread evenly`() throws {
        let settings = try settings { ($0.subscribers, $0.stalled) = (100, 10) }
        let stalled = (0..<100).filter(settings.isStalled)
        #expect(stalled == Array(stride(from: 9, to: 100, by: 10)))
    }

    @Test func `credit by delivery gives each thread a subscriber of each topic`() throws {
        let settings = try settings {
            ($0.credit, $0.topics, $0.subscribers, $0.threads) = (.delivery, 3, 6, 2)
        }
        for thread in 0..<2 {
            let topics = (0..<6).filter { settings.thread(ofSubscriber: $0) == thread }.map { $0 % 3 }
            #expect(Set(topics) == [0, 1, 2])
        }
    }

    @Test func `names that cannot be resolved are unreachable`() {
        let failure = #expect(throws: LoadFailure.self) { try LoadAddress(host: "no.such.host.invalid", port: 1) }
        #expect(failure?.reason == .unreachable)
    }
}
