import Synchronization

/// What the threads of a run share with the conductor.
///
/// Each counter is written only by its own thread. The conductor writes most other values.
final class LoadShared: Sendable {
    /// The phase of all threads. It never goes back.
    enum Phase: Int, Comparable {
        /// Connect, wait for `start`, publish, and read what arrives.
        case loading
        /// Let the stalled subscribers read again.
        case readingStalled
        /// Report and end.
        case ending

        static func < (left: Phase, right: Phase) -> Bool { left.rawValue < right.rawValue }
    }

    /// One thread's counters: totals since the beginning.
    final class Counters: Sendable {
        let ready = Atomic(0)
        let published = Atomic(0)
        let acked = Atomic(0)
        let delivered = Atomic(0)
        /// Deliveries to the stalled subscribers at the end.
        let deliveredLate = Atomic(0)
        /// When all connections of the thread were ready; 0 before.
        let readyAt = Atomic<UInt64>(0)
        /// Whether the thread has finished publishing.
        let isPublished = Atomic(false)
    }

    let counters: [Counters]
    /// When publishing begins; 0 until that is known.
    let start = Atomic<UInt64>(0)
    private let phaseNumber = Atomic(0)
    private let stops = Atomic(false)
    private let firstFailure = Mutex<LoadFailure?>(nil)
    private let reports = Mutex<[ThreadReport]>([])
    private let sentByTopic: Mutex<[Int]>

    init(threads: Int, topics: Int) {
        counters = (0..<threads).map { _ in Counters() }
        sentByTopic = Mutex([Int](repeating: 0, count: topics))
    }

    var phase: Phase { Phase(rawValue: phaseNumber.load(ordering: .relaxed)) ?? .ending }

    func enter(_ phase: Phase) {
        phaseNumber.store(phase.rawValue, ordering: .relaxed)
    }

    /// Whether publishing must end early.
    var isStopping: Bool { stops.load(ordering: .relaxed) }

    func stop() {
        stops.store(true, ordering: .relaxed)
    }

    var failure: LoadFailure? { firstFailure.withLock { $0 } }

    /// Ends the run. Only the first failure is reported.
    func fail(_ failure: LoadFailure) {
        firstFailure.withLock { if $0 == nil { $0 = failure } }
        stop()
    }

    /// Adds the number of messages that a thread has published to each topic.
    func addSent(_ counts: [Int]) {
        sentByTopic.withLock { sums in
            for topic in counts.indices { sums[topic] += counts[topic] }
        }
    }

    /// The number of messages published to each topic, once all threads have finished publishing.
    var sent: [Int] { sentByTopic.withLock { $0 } }

    func add(_ report: ThreadReport) {
        reports.withLock { $0.append(report) }
    }

    var finished: [ThreadReport] { reports.withLock { $0 } }

    func sum(_ counter: KeyPath<Counters, Int>) -> Int {
        counters.reduce(0) { $0 + $1[keyPath: counter] }
    }
}

extension LoadShared.Counters {
    var readyCount: Int { ready.load(ordering: .relaxed) }
    var publishedCount: Int { published.load(ordering: .relaxed) }
    var ackedCount: Int { acked.load(ordering: .relaxed) }
    var deliveredCount: Int { delivered.load(ordering: .relaxed) }
    var deliveredLateCount: Int { deliveredLate.load(ordering: .relaxed) }
}
