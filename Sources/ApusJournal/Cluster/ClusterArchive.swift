import ApusBroker
import ApusCluster
import ApusProtocol
import DequeModule
import Foundation
import NIOConcurrencyHelpers

/// Reads back from JetStream what a node's topics do not have in memory.
///
/// ```
/// hubs, REST ── read ──► waiting ──► under way ──► link ──► any server that has the stream
///      ▲                    ▲ again, after a pause │
///      └── answer ◄─────────┴──────────────────────┘ batches, as a thread of its own has made them of packs
/// ```
/// Who asks for what somebody else has asked for gets the same answer, and the newest answers are kept for others.
final class ClusterArchive: Sendable {
    /// What a subscriber or a request asks for.
    struct Key: Hashable {
        let topic: UInt32
        let offset: Offset
    }

    struct Reading {
        let template: EventTemplate
        let bytes: Int
        let deadline: Int64
        var answers: [@Sendable (ArchiveAnswer) -> Void]
        /// Where to read on, and what was true of the topic then.
        var sequence: UInt64?
        var version: UInt64 = 0
        /// How many questions it took.
        var steps = 0
        var isUnderWay = false

        func end(_ answer: ArchiveAnswer) {
            for tell in answers { tell(answer) }
        }
    }

    struct State {
        var topics: [UInt32: ArchivedTopic] = [:]
        var numbers = ExactTable<UInt32>()
        var readings: [Key: Reading] = [:]
        var waiting = Deque<Key>()
        var paused: [(key: Key, until: Int64)] = []
        var underWay = 0
        var kept = RecentAnswers()
        /// Whether the connection has ended, so that nothing is answered any more.
        var isOver = false

        /// - Returns: `nil` while the stream is read again: what is not known yet is not gone.
        mutating func trim(_ number: UInt32, to want: JournalWant, time: Int64) -> (first: Offset, history: Offset)? {
            guard topics[number]?.isSuspended == false, let history = topics[number]?.index.trim(to: want, time: time),
                let index = topics[number]?.index
            else { return nil }
            return (index.first, history)
        }
    }

    let names: ClusterNames
    let limits: ClusterLimits
    let link: any JetStreamLink
    let clock: @Sendable () -> Moment
    let queue = OperationQueue()
    let state = NIOLockedValueBox(State())

    init(
        _ names: ClusterNames,
        _ limits: ClusterLimits,
        _ link: any JetStreamLink,
        clock: @escaping @Sendable () -> Moment
    ) {
        (self.names, self.limits, self.link, self.clock) = (names, limits, link, clock)
        queue.maxConcurrentOperationCount = 1
    }

    // MARK: What there is, for the journal's thread

    /// There is a topic of that name. One of the same name before it is over.
    func open(_ number: UInt32, name: String, era: TopicEra) {
        state.withLockedValue { state in
            if let old = state.numbers.updateValue(number, forKey: name), old != number {
                state.topics[old] = nil
            }
            if state.topics[number] == nil {
                let index = PackIndex(mostEntries: limits.archiveEntries)
                state.topics[number] = ArchivedTopic(name: name, era: era, index: index)
            } else {
                state.topics[number]?.era = era
            }
        }
    }

    func close(_ name: String) {
        state.withLockedValue { state in
            if let number = state.numbers.removeValue(forKey: name) { state.topics[number] = nil }
        }
    }

    /// The topic's stream is read again: until that is done, nothing is read back.
    func suspend(_ name: String) {
        state.withLockedValue { state in
            guard let number = state.numbers[name] else { return }
            state.topics[number]?.startOver()
            state.topics[number]?.isSuspended = true
            state.kept.removeAll()
        }
    }

    func resume(_ name: String) {
        state.withLockedValue { state in
            guard let number = state.numbers[name] else { return }
            state.topics[number]?.isSuspended = false
        }
    }

    /// Notes the next pack of a topic, and lets go of what the topic does not want any more.
    ///
    /// - Parameter time: in milliseconds since 1970.
    /// - Returns: the first offset that can be read, and where history begins; `nil` if there is no such topic, or its
    ///   stream is read again.
    func note(
        _ pack: AppliedPack<BatchPack>,
        of number: UInt32,
        _ want: JournalWant,
        time: Int64
    ) -> (first: Offset, history: Offset)? {
        state.withLockedValue { state in
            guard state.topics[number] != nil else { return nil }
            if pack.isJump { state.topics[number]?.startOver() }
            state.topics[number]?.index.append(
                first: pack.first,
                count: pack.contents.count,
                sequence: pack.sequence,
                bytes: pack.contents.bytes,
                time: pack.contents.time,
                historyAge: want.historyAge
            )
            return state.trim(number, to: want, time: time)
        }
    }

    /// Lets go of what a topic does not want any more. Returns the same.
    func trim(_ number: UInt32, to want: JournalWant, time: Int64) -> (first: Offset, history: Offset)? {
        state.withLockedValue { $0.trim(number, to: want, time: time) }
    }

    // MARK: What is known without JetStream

    func holding(of number: UInt32) -> JournalHolding {
        state.withLockedValue { state in
            guard let index = state.topics[number]?.index, index.count > 0 else { return JournalHolding() }
            return JournalHolding(bytes: index.bytes, first: index.first)
        }
    }

    func firstOffset(of number: UInt32, since time: Int64) -> Offset? {
        state.withLockedValue { $0.topics[number]?.index.first(since: time) }
    }
}
