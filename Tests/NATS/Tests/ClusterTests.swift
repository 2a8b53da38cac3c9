#if NATS
import Foundation
import NIOCore
import Synchronization
import Testing

@testable import ApusNATS

/// Against three real servers.
@Suite(.serialized) struct ClusterTests {
    private let subject = "apus.0.dG9waWM"

    @Test func severalNodesMakeTheStreamsAtOnce() async throws {
        try await withServers(3) { servers in
            try await withThrowingTaskGroup { group in
                for _ in 0..<3 {
                    let settings = NATSSettings.cluster(servers)
                    group.addTask {
                        try await withConnection(settings) { try await StartupCheck($0).run() }
                    }
                }
                try await group.waitForAll()
            }
            try await withConnection(.cluster(servers)) { connection in
                for plan in StreamPlan.all(.cluster(servers)) {
                    let info = try await connection.streamInfo(plan.name)
                    #expect(info.config["num_replicas"] == .number(3))
                    #expect(info.cluster?.replicas?.count == 2)
                }
            }
        }
    }

    /// Publishes without pause, one message after the other, each until it is acknowledged.
    private func publish(_ count: Int, _ connection: NATSConnection, _ acked: @Sendable (UInt64) -> Void) async throws {
        var head: UInt64 = 0
        for index in 0..<count {
            let message = StreamPublish(
                subject: subject,
                body: ByteBuffer(string: "\(index)"),
                id: "\(index)",
                stream: "apus_0",
                expectation: head == 0 ? .noMessage : .last(head)
            )
            var misses = 0
            try await waitUntil("\(index) is acknowledged") {
                let server = connection.server
                switch await connection.publish(message, timeout: .seconds(1)) {
                case .acked(_, let sequence, _):
                    head = sequence
                    acked(sequence)
                    return true
                case .timedOut:
                    misses += 1
                    if misses % 3 == 0, let server { connection.leave(server) }
                case .refused(_, let last?) where last > head:
                    // An earlier copy has landed: nobody else publishes here.
                    head = last
                    acked(last)
                    return true
                case .refused(let refusal, _):
                    #expect(refusal.reason != JetStreamRefusal.Reason.wrongLastSequence || misses > 0)
                case .noResponders, .disconnected, .tooLarge, .tooMany: break
                }
                return false
            }
        }
    }

    /// Reads so many messages from the beginning on, with as many readers as it takes.
    private func read(_ count: Int, _ connection: NATSConnection) async throws -> [StreamMessage] {
        var messages: [StreamMessage] = []
        try await waitUntil("all came") {
            let log = ReaderLog(connection, "apus_0", from: (messages.last?.sequence ?? 0) + 1)
            try await waitUntil("it is over") { messages.count + log.messages.count >= count || log.end != nil }
            log.stop()
            messages += log.messages
            return messages.count >= count
        }
        return messages
    }

    private func whileDisturbed(_ disturb: (NATSServers, Int) async throws -> Void) async throws {
        try await withServers(3) { servers in
            let events = EventLog()
            try await withConnection(.cluster(servers), events: events) { connection in
                try await connection.ensureStreams()
                let acked = Mutex<[UInt64]>([])
                let count = 300
                async let publishing: Void = publish(count, connection) { sequence in
                    acked.withLock { $0.append(sequence) }
                }
                try await waitUntil("some are acknowledged") { acked.withLock { $0.count } >= 50 }
                let server = try #require(connection.server)
                let index = try #require(servers.nodes.firstIndex { $0.url == server.url })
                try await disturb(servers, index)
                try await publishing
                // Somebody else, at whatever server, reads exactly what was acknowledged.
                let messages = try await read(count, connection)
                #expect(messages.map(\.sequence) == acked.withLock { $0 })
                #expect(messages.map { String(buffer: $0.body) } == (0..<count).map { "\($0)" })
                #expect(events.disconnects > 0)
                #expect(Set(events.servers.map(\.url)).count > 1)
            }
        }
    }

    @Test func aServersDeathTakesNothingThatWasAcknowledged() async throws {
        try await whileDisturbed { servers, index in
            servers.nodes[index].kill()
        }
    }

    @Test func aServerThatStandsStillIsLeft() async throws {
        try await whileDisturbed { servers, index in
            servers.nodes[index].signal(SIGSTOP)
        }
    }

    @Test func aServerThatIsLeftIsNotTakenAgainAtOnce() async throws {
        try await withServers(3) { servers in
            try await withConnection(.cluster(servers)) { connection in
                let first = try #require(connection.server)
                connection.leave(first)
                try await waitUntil("another one is there") { connection.server.map { $0.url != first.url } ?? false }
                // Asked for a server that was left already.
                connection.leave(first)
                let second = try #require(connection.server)
                _ = await connection.request("$JS.API.INFO", timeout: .seconds(5))
                #expect(connection.server == second)
            }
        }
    }

    @Test func oneServerTellsOfTheOthers() async throws {
        try await withServers(3) { servers in
            var settings = NATSSettings.cluster(servers)
            settings.urls = [servers.urls[0]]
            // There is a leader, so the server knows of others.
            try await withConnection(settings) { try await $0.ensureStreams() }
            try await withConnection(settings) { connection in
                servers.nodes[0].kill()
                try await waitUntil("another one is there") { connection.server?.generation ?? 1 > 1 }
                #expect(connection.server?.url != servers.urls[0])
            }
        }
    }
}
#endif
