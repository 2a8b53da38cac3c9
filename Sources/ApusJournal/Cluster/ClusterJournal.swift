package import ApusBroker
package import ApusCluster
package import ApusProtocol
import ApusSockets
import Dispatch
import Foundation
import NIOConcurrencyHelpers
import Synchronization

/// Keeps topics in JetStream, where other nodes publish to them, too.
///
/// ```
///  hubs ── commit(topics) ──►┌────────────────┐──► settle, adopt ──► topics
///  REST ── propose ─────────►│  one thread:   │
///                            │  ClusterNode   │
///  JetStream ── events ─────►│                │──► actions ──► link
///                            └────────────────┘
/// ```
package final class ClusterJournal: Journal {
    package let durability: Durability
    package let decidesTopics = true

    /// What waits for the thread.
    struct Inbox {
        var topics: [Topic] = []
        var queued: Set<ObjectIdentifier> = []
        var events: [JetStreamEvent] = []
        var proposals: [Proposed] = []
        var notes: [ProposedNote] = []
        var forgotten: [RegistryNote] = []
        var watches: [NoteWatch] = []
        var readings: [Reading] = []
        /// Settled when everything before has an outcome and the thread has ended.
        var end: Commit?

        var isEmpty: Bool {
            topics.isEmpty && events.isEmpty && proposals.isEmpty && end == nil && notes.isEmpty && forgotten.isEmpty
                && watches.isEmpty && readings.isEmpty
        }

        mutating func take() -> Self {
            defer { self = Self() }
            return self
        }
    }

    /// A proposal with who waits for what comes of it.
    struct Proposed {
        let proposal: TopicProposal
        let answer: CheckedContinuation<Result<TopicVerdict, BrokerError>, Never>
    }

    /// Somebody who waits until the broker has what the cluster has of a topic.
    struct Reading {
        let names: [String]
        let answer: CheckedContinuation<Result<Void, BrokerError>, Never>
    }

    private struct State {
        var inbox = Inbox()
        var isOver = false
        /// How many wait in ``catchUp(on:)``.
        var readers = 0
        var figures = JournalFigures()
        var status = ClusterStatus()
        var notes = NotesInForce()
        /// There is none before the start.
        var archive: ClusterArchive?
    }

    private let state = NIOLockedValueBox(State())
    private let waiting = DispatchSemaphore(value: 0)
    private let clock: @Sendable () -> Moment

    /// - Parameters:
    ///   - durability: what an ack means.
    ///   - clock: the server's.
    package init(durability: Durability = .replicated, clock: @escaping @Sendable () -> Moment) {
        self.durability = durability
        self.clock = clock
    }

    /// Starts the thread. Call it once.
    ///
    /// - Parameters:
    ///   - id: drawn at random for each process.
    ///   - broker: whose journal this is.
    ///   - link: is started, and in the end closed.
    package func start(
        _ names: ClusterNames,
        id: UInt64 = .random(in: .min ... .max),
        timing: ClusterTiming = ClusterTiming(),
        limits: ClusterLimits = ClusterLimits(),
        broker: MemoryBroker,
        link: any JetStreamLink
    ) {
        let now = clock()
        let node = ClusterNode<BatchPack>(
            names: names,
            id: id,
            timing: timing,
            limits: limits,
            now: now.steady,
            lead: now.wall - now.steady
        )
        let noted: @Sendable (RegistryNote) -> Void = { [weak self] note in
            self?.notes { $0.take(note) }?(note)
        }
        let archive = ClusterArchive(names, limits, link, clock: clock)
        state.withLockedValue { $0.archive = archive }
        let writing = Mutex<ClusterWriter?>(ClusterWriter(node, broker, link, archive, journal: self, noted: noted))
        let thread = Thread { [self] in
            ThreadPriority.takeFromProcess()
            if let writer = writing.withLock({ $0.take() }) { run(writer) }
        }
        thread.name = "apus-cluster"
        thread.start()
        link.start { [weak self] event in
            self?.add { $0.events.append(event) }
        } wake: { [waiting] in
            waiting.signal()
        }
    }

    /// How far the node is.
    package var status: ClusterStatus { state.withLockedValue { $0.status } }

    /// It heals by itself.
    package var failure: CommitFailure? { nil }

    package var waitsFor: String? {
        let status = status
        if status.isReady { return nil }
        guard status.isConnected else { return "There is no connection to NATS" }
        guard status.streams.allSatisfy(\.isCaughtUp) else {
            return "What the cluster has is being read: \(status.missing) messages are missing"
        }
        return "A majority of the NATS servers does not answer"
    }
    package var figures: JournalFigures { state.withLockedValue { $0.figures } }

    package func commit(_ topics: [Topic]) {
        let isOver = add { inbox in
            for topic in topics where inbox.queued.insert(ObjectIdentifier(topic)).inserted {
                inbox.topics.append(topic)
            }
        }
        guard isOver else { return }
        for topic in topics where topic.takeUncommitted() != nil { topic.settle(.failed(Self.isOver)) }
    }

    static let isOver = CommitFailure(message: "The server has stopped", isFinal: true)

    /// Topics are decided on by ``propose(_:)`` alone.
    package func record(_ change: TopicChange) -> Commit {
        let commit = Commit()
        commit.settle(.kept)
        return commit
    }

    package func propose(_ proposal: TopicProposal) async throws(BrokerError) -> TopicVerdict {
        let result = await withCheckedContinuation { continuation in
            let isOver = add { $0.proposals.append(Proposed(proposal: proposal, answer: continuation)) }
            if isOver { continuation.resume(returning: .failure(BrokerError(.notKept, Self.isOver.message))) }
        }
        return try result.get()
    }

    func notes<Result>(_ body: (inout NotesInForce) -> Result) -> Result { state.withLockedValue { body(&$0.notes) } }

    package func catchUp(on names: [String]) async throws(BrokerError) {
        let hasRoom = state.withLockedValue { state in
            guard state.readers < Self.mostReaders else { return false }
            state.readers += 1
            return true
        }
        guard hasRoom else { throw BrokerError(.notKept, CommitFailure(.overloaded).message) }
        let result = await withCheckedContinuation { continuation in
            let isOver = add { $0.readings.append(Reading(names: names, answer: continuation)) }
            if isOver { continuation.resume(returning: .failure(BrokerError(.notKept, Self.isOver.message))) }
        }
        state.withLockedValue { $0.readers -= 1 }
        try result.get()
    }

    /// So many may wait for the cluster at a time. A connection waits with one command, so this is beyond what most
    /// servers have clients; those beyond it are refused.
    private static let mostReaders = 65_536

    // MARK: Reading back

    package func holding(of topic: Topic) -> JournalHolding {
        archive?.holding(of: topic.number) ?? JournalHolding()
    }

    private var archive: ClusterArchive? { state.withLockedValue { $0.archive } }

    package func read(
        _ topic: UInt32,
        template: EventTemplate,
        from offset: Offset,
        bytes: Int,
        answer: @escaping @Sendable (ArchiveAnswer) -> Void
    ) {
        guard let archive else { return answer(.unavailable) }
        archive.read(topic, template: template, from: offset, bytes: bytes, answer: answer)
    }

    package func firstOffset(of topic: UInt32, since time: Int64) -> Offset? {
        archive?.firstOffset(of: topic, since: time)
    }

    // MARK: The end

    /// Ends the thread when everything that was published has an outcome.
    ///
    /// - Parameter patience: how long that may take.
    /// - Returns: whether it has ended.
    @discardableResult
    package func stop(within patience: Duration) async -> Bool {
        let end = Commit()
        let isOver = add { $0.end = end }
        guard !isOver else { return true }
        let timer = Task {
            try? await Task.sleep(for: patience)
            if !Task.isCancelled { end.settle(.failed(Self.isOver)) }
        }
        let outcome = await end.settled()
        timer.cancel()
        return outcome == .kept
    }

    /// - Returns: whether the thread has ended, and nothing was added.
    @discardableResult
    func add(_ body: (inout Inbox) -> Void) -> Bool {
        let (isFirst, isOver) = state.withLockedValue { state in
            guard !state.isOver else { return (false, true) }
            let wasEmpty = state.inbox.isEmpty
            body(&state.inbox)
            return (wasEmpty && !state.inbox.isEmpty, false)
        }
        if isFirst { waiting.signal() }
        return isOver
    }

    // MARK: On the thread

    private func run(_ writer: consuming ClusterWriter) {
        var end: Commit?
        while true {
            let patience = writer.isBehind ? 0 : writer.isIdle ? Self.idleTick : Self.busyTick
            _ = waiting.wait(timeout: .now() + .milliseconds(patience))
            let inbox = state.withLockedValue { $0.inbox.take() }
            end = end ?? inbox.end
            begin(inbox.watches)
            writer.turn(inbox, clock())
            let isOver = end != nil && (writer.isIdle || end?.outcome != nil)
            let (figures, status) = (writer.figures, writer.status)
            let rest = state.withLockedValue { state in
                (state.figures, state.status, state.isOver) = (figures, status, isOver)
                return isOver ? state.inbox.take() : Inbox()
            }
            guard isOver else { continue }
            writer.end(rest)
            begin(rest.watches)
            end?.settle(.kept)
            return
        }
    }

    /// How often the node looks at the clock, in milliseconds: with something under way, and without.
    private static let (busyTick, idleTick) = (10, 100)
}

/// How far a node is.
package struct ClusterStatus: Sendable, Equatable {
    package var isConnected = false
    /// Whether it has read all that was acked before it started, and a majority answers.
    package var isReady = false
    /// Of each stream: the last sequence that was read, and the highest one that is known of.
    package var streams: [Stream] = []
    /// How many notes of the registry were not taken, as there were too many.
    package var notesLeftOut: UInt64 = 0

    /// Whether all that was acked before the start was read, once.
    package var isCaughtUp: Bool { !streams.isEmpty && streams.allSatisfy(\.isCaughtUp) }

    /// How many messages of the streams were not read yet, as far as that is known.
    package var missing: UInt64 { streams.reduce(0) { $0 + $1.known - min($1.known, $1.position) } }

    package struct Stream: Sendable, Equatable {
        package let stream: ClusterStream
        package let position: UInt64
        package let known: UInt64
        package let isCaughtUp: Bool
    }
}
