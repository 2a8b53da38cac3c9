package import ApusBroker
package import ApusProtocol
import ApusSockets
import ApusStore
import Dispatch
import Foundation
import NIOConcurrencyHelpers
import Synchronization

/// Keeps topics in a folder: their messages in segments, everything else in a catalog.
///
/// One thread writes. While it waits for the disk, more is published; all of that is its next commit. So there is one
/// write and at most one flush under way, however many topics and publishers there are.
package final class DiskJournal: Journal {
    package let durability = Durability.disk

    /// What waits for the thread.
    struct Work {
        var topics: [Topic] = []
        var changes: [(change: Catalog.Change, commit: Commit)] = []
        /// Settled when everything before is done.
        var barriers: [Commit] = []
        /// Settled when everything before is kept and the thread has ended.
        var end: Commit?

        var isEmpty: Bool { topics.isEmpty && changes.isEmpty && barriers.isEmpty && end == nil }
    }

    private struct State {
        var work = Work()
        /// The topics in `work`.
        var queued: Set<ObjectIdentifier> = []
        var isOver = false
        var failure: CommitFailure?
        var figures = JournalFigures()
    }

    private let state = NIOLockedValueBox(State())
    private let waiting = DispatchSemaphore(value: 0)

    private let reader: JournalReader
    private let lead: Int64
    private let tellFailure: @Sendable (CommitFailure) -> Void

    /// Starts the thread.
    ///
    /// - Parameter lead: how far the wall clock is ahead of the steady clock, in milliseconds.
    init(
        _ writer: consuming sending JournalWriter,
        _ reader: JournalReader,
        lead: Int64,
        tellFailure: @escaping @Sendable (CommitFailure) -> Void
    ) {
        self.reader = reader
        self.lead = lead
        self.tellFailure = tellFailure
        let writing = Mutex<JournalWriter?>(writer)
        let thread = Thread { [self] in
            ThreadPriority.takeFromProcess()
            if let writer = writing.withLock({ $0.take() }) { run(writer) }
        }
        thread.name = "apus-journal"
        thread.start()
    }

    package var failure: CommitFailure? { state.withLockedValue { $0.failure } }
    package var figures: JournalFigures { state.withLockedValue { $0.figures } }

    package func commit(_ topics: [Topic]) {
        let isOver = add { state in
            for topic in topics where state.queued.insert(ObjectIdentifier(topic)).inserted {
                state.work.topics.append(topic)
            }
        }
        guard isOver else { return }
        for topic in topics where topic.takeUncommitted() != nil { topic.settle(.failed(Self.isOver)) }
    }

    private static let isOver = CommitFailure(message: "The server has stopped", isFinal: true)

    package func record(_ change: TopicChange) -> Commit {
        let commit = Commit()
        let change = Catalog.Change(change)
        let isOver = add { $0.work.changes.append((change, commit)) }
        if isOver { commit.settle(.failed(Self.isOver)) }
        return commit
    }

    package func holding(of topic: Topic) -> JournalHolding {
        reader.table.withLock { table in
            let records = table.records(of: topic.number)
            let bytes = records.reduce(0) { $0 + $1.sizeOnDisk }
            return JournalHolding(bytes: bytes, first: table.firsts(of: topic.number)?.first)
        }
    }

    /// Waits until everything before is done.
    package func settled() async {
        let barrier = Commit()
        let isOver = add { $0.work.barriers.append(barrier) }
        if !isOver { _ = await barrier.settled() }
    }

    package func read(
        _ topic: UInt32,
        template: EventTemplate,
        from offset: Offset,
        bytes: Int,
        answer: @escaping @Sendable (ArchiveAnswer) -> Void
    ) {
        reader.read(topic, template: template, from: offset, bytes: bytes, answer: answer)
    }

    package func firstOffset(of topic: UInt32, since time: Int64) -> Offset? {
        reader.table.withLock { $0.record(of: topic, since: time)?.first }
    }

    /// Where what is kept of a topic can be read back.
    func source(of topic: UInt32, first: Offset, history: Offset) -> ArchiveSource {
        ArchiveSource(journal: self, topic: topic, lead: lead, first: first, history: history)
    }

    /// Ends the thread when everything is kept.
    ///
    /// - Parameter patience: how long that may take. A disk that does not answer is left to itself.
    /// - Returns: whether it has ended.
    @discardableResult
    package func stop(within patience: Duration = .seconds(3600)) async -> Bool {
        let end = Commit()
        let isOver = add { $0.work.end = end }
        guard !isOver else { return true }
        let timer = Task {
            try? await Task.sleep(for: patience)
            if !Task.isCancelled { end.settle(.failed(Self.isOver)) }
        }
        let outcome = await end.settled()
        timer.cancel()
        return outcome != .failed(Self.isOver)
    }

    /// - Returns: whether the thread has ended, and nothing was added.
    @discardableResult
    private func add(_ body: (inout State) -> Void) -> Bool {
        let (isFirst, isOver) = state.withLockedValue { state in
            guard !state.isOver else { return (false, true) }
            let wasEmpty = state.work.isEmpty
            body(&state)
            return (wasEmpty && !state.work.isEmpty, false)
        }
        if isFirst { waiting.signal() }
        return isOver
    }

    // MARK: On the thread

    private func run(_ writer: consuming JournalWriter) {
        let (end, outcome) = write(with: writer)
        // Now the folder is another server's, if it wants it.
        end.settle(outcome)
    }

    /// Writes until there is an end, and lets go of the folder.
    private func write(with writer: consuming JournalWriter) -> (Commit, Commit.Outcome) {
        var isFull = false
        writer.tell = { [self] failure in
            // Whoever hears that it is final finds it here.
            if failure.isFinal { state.withLockedValue { $0.failure = failure } }
            // Not again for each publish that finds no room.
            if failure.isFinal || !isFull { tellFailure(failure) }
            isFull = true
        }
        while true {
            // Room is made even when nothing is published.
            let patience: DispatchTime = writer.hasUnwanted ? .now() + .milliseconds(100) : .distantFuture
            _ = waiting.wait(timeout: patience)
            let work = state.withLockedValue { state in
                state.queued.removeAll(keepingCapacity: true)
                return state.work.take()
            }
            let failures = writer.figures.failures
            writer.write(work) { self.source(of: $0, first: $1, history: $2) }
            if work.end != nil { writer.finish() }
            if writer.figures.failures == failures, !work.topics.isEmpty { isFull = false }
            let (failure, figures) = (writer.failure, writer.figures)
            state.withLockedValue { state in
                (state.failure, state.figures) = (failure, figures)
                if work.end != nil { state.isOver = true }
            }
            if let end = work.end { return (end, failure.map { .failed($0) } ?? .kept) }
        }
    }
}

extension DiskJournal.Work {
    mutating func take() -> Self {
        defer { self = Self() }
        return self
    }
}

extension Catalog.Change {
    init(_ change: TopicChange) {
        switch change {
        case .created(let topic): self = .create(Catalog.Topic(topic, topic.settings))
        case .changed(let topic, let settings): self = .change(Catalog.Topic(topic, settings))
        case .deleted(let topic): self = .delete(topic: topic.number)
        case .purged(let topic, let end): self = .keep(topic: topic.number, from: end)
        }
    }
}

extension Catalog.Topic {
    fileprivate init(_ topic: Topic, _ settings: TopicSettings) {
        self.init(
            number: topic.number,
            name: Array(topic.name.utf8),
            epoch: topic.epoch,
            durability: StoredDurability(topic.durability),
            settings: "{" + settings.fields.members.joined(separator: ", ") + "}",
            created: Int64(Date().timeIntervalSince1970 * 1000)
        )
    }
}

extension StoredDurability {
    init(_ durability: Durability) {
        self =
            switch durability {
            case .memory: .memory
            case .os: .os
            // No topic of a folder asks for more than the disk.
            case .disk, .replicatedUnsynced, .replicated: .disk
            }
    }
}
