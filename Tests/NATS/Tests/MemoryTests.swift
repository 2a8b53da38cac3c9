#if NATS
import CAllocated
import Foundation
import NIOCore
import Synchronization
import Testing

@testable import ApusNATS

/// Whether everything that libnats and the client allocate is freed. Only by command, since it counts what the whole
/// process has:
///
///     APUS_NATS_MEMORY=1 swift test --traits NATS --filter MemoryTests
@Suite(.serialized, .enabled(if: ProcessInfo.processInfo.environment["APUS_NATS_MEMORY"] != nil))
struct MemoryTests {
    /// The bytes that are allocated more after each of some rounds, the first ones not counted.
    private func growth(_ round: () async throws -> Void) async throws -> Int {
        let rounds = 60
        for _ in 0..<10 { try await round() }
        let before = callocated_bytes()
        for _ in 0..<rounds { try await round() }
        let grown = (callocated_bytes() - before) / rounds
        print("\(grown) bytes a round")
        return grown
    }

    @Test func messagesLeaveNothingBehind() async throws {
        try await withServers { servers in
            try await withConnection(.single(servers)) { connection in
                try await connection.ensureStreams()
                let body = ByteBuffer(repeating: 1, count: 1000)
                let message = StreamPublish(subject: "apus.0.dG9waWM", body: body, id: nil)
                let grown = try await growth {
                    let acked = Mutex(0)
                    for _ in 0..<500 {
                        connection.publish(message, timeout: .seconds(20)) { _ in acked.withLock { $0 += 1 } }
                    }
                    try await waitUntil("all are acknowledged") { acked.withLock { $0 } == 500 }
                    let info = try await connection.streamInfo("apus_0")
                    let reader = connection.read("apus_0", from: info.state.lastSequence - 400) {}
                    var count = 0
                    try await waitUntil("all came") {
                        count += reader.take(atMost: 1000).count
                        return count > 400
                    }
                    reader.stop()
                }
                // The process itself grows by some 100 KB in all. If each of the 900 messages stayed, it would be
                // 900 KB a round.
                #expect(grown < 9000)
            }
        }
    }

    @Test func connectionsLeaveNothingBehind() async throws {
        try await withServers { servers in
            try await withConnection(.single(servers)) { try await $0.ensureStreams() }
            let grown = try await growth {
                try await withConnection(.single(servers)) { connection in
                    let log = ReaderLog(connection, "apus_0", from: 1)
                    let first = try #require(connection.server)
                    connection.leave(first)
                    try await waitUntil("the reader has ended") { log.end != nil }
                    try await waitUntil("it is back") { connection.server.map { $0 != first } ?? false }
                    _ = ReaderLog(connection, "apus_0", from: 1)
                }
                // One that fails.
                var settings = NATSSettings.single(servers)
                settings.urls = ["tls://127.0.0.1:\(servers.nodes[0].port)"]
                _ = try await failure { try await withConnection(settings) { _ in } }
            }
            #expect(grown < 9000)
        }
    }
}
#endif
