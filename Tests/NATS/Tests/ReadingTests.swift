#if NATS
import Foundation
import NIOCore
import Synchronization
import Testing

@testable import ApusNATS

/// Against one real server.
@Suite struct ReadingTests {
    private let subject = "apus.0.dG9waWM"

    @Test func aReaderGetsWhatIsThereAndWhatComes() async throws {
        try await withServers { servers in
            try await withConnection(.single(servers)) { connection in
                try await connection.ensureStreams()
                try await connection.fill(subject, (1...5).map { "\($0)" })
                let log = ReaderLog(connection, "apus_0", from: 3)
                try await waitUntil("what is there came") { log.sequences == [3, 4, 5] }
                try await connection.fill(subject, ["6", "7"])
                try await waitUntil("what was published came") { log.sequences == [3, 4, 5, 6, 7] }
                let last = try #require(log.messages.last)
                #expect(last.body == ByteBuffer(string: "7"))
                #expect(last.subject == subject)
                #expect(last.number == 5)
                #expect(last[header: "Nats-Msg-Id"] == "7")
                #expect(abs(Date(timeIntervalSince1970: Double(last.time) / 1e9).timeIntervalSinceNow) < 600)
                try await waitUntil("a heartbeat came") { log.heartbeats > 0 }
                log.stop()
                try await waitUntil("it has ended") { log.end == .stopped }
            }
        }
    }

    @Test func afterAServersDeathAReaderGoesOnBehindItsPosition() async throws {
        try await withServers { servers in
            try await withConnection(.single(servers)) { connection in
                try await connection.ensureStreams()
                try await connection.fill(subject, (1...20).map { "\($0)" })
                let before = ReaderLog(connection, "apus_0", from: 1)
                try await waitUntil("all came") { before.sequences.count == 20 }
                servers.nodes[0].kill()
                try await waitUntil("the reader has ended") { before.end == .disconnected }
                try servers.nodes[0].start()
                try await connection.fill(subject, (21...30).map { "\($0)" })
                let after = ReaderLog(connection, "apus_0", from: 21)
                try await waitUntil("the rest came") { after.sequences == Array(21...30) }
            }
        }
    }

    @Test func aServerThatStandsStillEndsItsReaders() async throws {
        try await withServers { servers in
            try await withConnection(.single(servers)) { connection in
                try await connection.ensureStreams()
                let log = ReaderLog(connection, "apus_0", from: 1)
                try await waitUntil("it reads") { log.heartbeats > 0 }
                servers.nodes[0].signal(SIGSTOP)
                try await waitUntil("it has ended") { log.end == .silent }
                servers.nodes[0].signal(SIGCONT)
            }
        }
    }

    @Test func aStreamThatEndsBeforeThePositionIsTold() async throws {
        try await withServers { servers in
            try await withConnection(.single(servers)) { connection in
                try await connection.ensureStreams()
                try await connection.fill(subject, ["1", "2"])
                let next = ReaderLog(connection, "apus_0", from: 3)
                let beyond = ReaderLog(connection, "apus_0", from: 4)
                try await waitUntil("it has ended") { beyond.end == .beyondEnd(last: 2) }
                try await connection.fill(subject, ["3"])
                try await waitUntil("the next one came") { next.sequences == [3] }
            }
        }
    }

    @Test func aStreamThatIsNotThereIsTold() async throws {
        try await withServers { servers in
            try await withConnection(.single(servers)) { connection in
                let log = ReaderLog(connection, "apus_0", from: 1)
                try await waitUntil("it has ended") { log.end != nil }
                guard case .failed(.refused(let refusal)) = log.end else {
                    Issue.record("\(log.end as Any)")
                    return
                }
                #expect(refusal.reason == JetStreamRefusal.Reason.streamNotFound)
            }
        }
    }

    @Test func whatIsTooMuchToWaitEndsTheReaderBehindWhatItHas() async throws {
        try await withServers { servers in
            try await withConnection(.single(servers)) { connection in
                try await connection.ensureStreams()
                try await connection.fill(subject, (1...20).map { "\($0)" })
                let reader = connection.read("apus_0", from: 1, mostBytes: 2000) {}
                try await waitUntil("it has ended") { connection.state.withLock { $0.readers.isEmpty } }
                var sequences: [UInt64] = []
                var end: StreamReader.End?
                for event in reader.take(atMost: 100) {
                    if case .message(let message) = event { sequences.append(message.sequence) }
                    if case .ended(let last) = event { end = last }
                }
                #expect(end == .overflow)
                #expect((1..<20).contains(sequences.count))
                #expect(sequences == Array(1...reader.last))
                let rest = ReaderLog(connection, "apus_0", from: reader.last + 1)
                try await waitUntil("the rest came") { rest.sequences == Array(reader.last + 1...20) }
            }
        }
    }

    @Test func whoTakesNothingKeepsTheServerFromSending() async throws {
        try await withServers { servers in
            try await withConnection(.single(servers)) { connection in
                try await connection.ensureStreams()
                let message = StreamPublish(subject: subject, body: ByteBuffer(repeating: 1, count: 500_000))
                for _ in 0..<160 {
                    let result = await connection.publish(message, timeout: .seconds(30))
                    guard case .acked = result else {
                        Issue.record("\(result)")
                        return
                    }
                }
                let reader = connection.read("apus_0", from: 1) {}
                // Flow control: at most 32 MiB are sent before something is taken.
                try await waitUntil("some came") { reader.last > 2 }
                var before: UInt64 = 0
                try await waitUntil("no more comes") {
                    try await Task.sleep(for: .seconds(1))
                    defer { before = reader.last }
                    return reader.last == before
                }
                #expect(reader.last < 80)
                var sequences: [UInt64] = []
                try await waitUntil("all came") {
                    for event in reader.take(atMost: 10) {
                        if case .message(let message) = event { sequences.append(message.sequence) }
                        if case .ended(let end) = event { Issue.record("\(end)") }
                    }
                    return sequences.count == 160
                }
                #expect(sequences == Array(1...160))
            }
        }
    }
}
#endif
