import ApusBroker
import ApusCluster
import ApusTesting
import NIOConcurrencyHelpers
import Testing

@testable import ApusJournal

/// Notes of nodes in one process, with their real threads, over one JetStream.
@Suite(.timeLimit(.minutes(5))) struct ClusterNotesTests {
    private let server = LoopbackJetStream()

    private final class Watcher: Sendable {
        private let seen = NIOLockedValueBox<[String: String]>([:])

        var notes: [String: String] { seen.withLockedValue { $0 } }

        func watch(_ node: ClusterNodeUnderTest) async {
            await node.journal.watchNotes { [seen] note in seen.withLockedValue { $0[note.key] = note.value } }
        }
    }

    @Test func `a note reaches all nodes, and one that starts later knows it at once`() async throws {
        let (one, other) = (try await ClusterNodeUnderTest(server), try await ClusterNodeUnderTest(server))
        let (here, there, later) = (Watcher(), Watcher(), Watcher())
        await here.watch(one)
        await there.watch(other)
        try await one.journal.write(under: "k") { _ in "v" }
        #expect(here.notes == ["k": "v"], "it is told before the writer knows")
        try await ClusterNodeUnderTest.eventually { there.notes == ["k": "v"] }
        await later.watch(try await ClusterNodeUnderTest(server))
        #expect(later.notes == ["k": "v"])
    }

    @Test func `of notes that several nodes write at once none gets lost`() async throws {
        let nodes = [try await ClusterNodeUnderTest(server), try await ClusterNodeUnderTest(server)]
        try await withThrowingTaskGroup { group in
            for (index, node) in nodes.enumerated() {
                group.addTask {
                    for number in 0..<20 {
                        try await node.journal.write(under: "k") { old in "\(old?.value ?? "") \(index).\(number)" }
                    }
                }
            }
            try await group.waitForAll()
        }
        let watcher = Watcher()
        await watcher.watch(try await ClusterNodeUnderTest(server))
        let words = Set((watcher.notes["k"] ?? "").split(separator: " ").map(String.init))
        #expect(words == Set((0..<2).flatMap { index in (0..<20).map { "\(index).\($0)" } }))
    }

    @Test func `without JetStream a note is refused, and a journal that has ended takes none`() async throws {
        let node = try await ClusterNodeUnderTest(server, patience: 1000)
        server.isDown = true
        await #expect(throws: BrokerError.self) { try await node.journal.write(under: "k") { _ in "v" } }
        server.isDown = false
        #expect(await node.journal.stop(within: .seconds(60)))
        await #expect(throws: BrokerError.self) { try await node.journal.write(under: "k") { _ in "v" } }
        await Watcher().watch(node)
    }

    @Test func `what is forgotten is not there for who starts later`() async throws {
        let node = try await ClusterNodeUnderTest(server)
        try await node.journal.write(under: "k") { _ in "v" }
        node.journal.forget(node.journal.allNotes)
        try await node.journal.write(under: "other") { _ in "v" }
        let watcher = Watcher()
        await watcher.watch(try await ClusterNodeUnderTest(server))
        #expect(watcher.notes == ["other": "v"])
    }
}
