import ApusBroker
import NIOConcurrencyHelpers

/// What the console shows of the whole server: the last 15 minutes, and who looks.
///
/// A sample is taken each second whether or not anybody looks, so that a page that is opened now shows what was. It
/// costs a few additions on each loop. All other figures are collected only while somebody looks at them.
final class ConsoleFigures: Sendable {
    private struct State {
        var ring = SampleRing()
        var newest: Sample?
        var before: ServerTotals?
        /// The free bytes of the disk, and when to ask again on the monotonic clock, in milliseconds.
        var free: (bytes: Int?, until: Int64)?
    }

    /// How long the free bytes of a disk are taken for the same, in milliseconds.
    private static let freshness: Int64 = 10_000

    let seats = ConsoleSeats()
    let tables = TopicTables()
    /// When the server began, in milliseconds since 1970.
    let started = ServerClock.now.wall
    private let contexts: LoopContexts
    private let pubSub: PubSub
    private let broker: any Broker
    /// `nil` if the server is no node of a cluster.
    let cluster: ClusterView?
    private let state = NIOLockedValueBox(State())

    init(_ contexts: LoopContexts, _ pubSub: PubSub, _ broker: any Broker, _ cluster: ClusterView?) {
        self.contexts = contexts
        self.pubSub = pubSub
        self.broker = broker
        self.cluster = cluster
    }

    /// The last 15 minutes.
    var ring: SampleRing { state.withLockedValue { $0.ring } }

    /// The last second; `nil` in the first one.
    var newest: Sample? { state.withLockedValue { $0.newest } }

    /// Takes a sample each second until the task is cancelled.
    func run() async {
        await take(missed: 0)
        let start = ContinuousClock.now
        var taken = 0
        while !Task.isCancelled {
            try? await Task.sleep(until: start + .milliseconds(Int64(taken + 1) * SampleRing.step))
            // A process that was stopped, or a machine that slept, has seconds without a sample.
            let passed = Int((ContinuousClock.now - start) / .milliseconds(SampleRing.step))
            guard passed > taken else { continue }
            await take(missed: passed - taken - 1)
            taken = passed
        }
    }

    private func take(missed: Int) async {
        let totals = await ServerTotals.read(contexts, pubSub, broker)
        let time = ServerClock.now.wall
        state.withLockedValue { state in
            if let before = state.before {
                let sample = Sample(totals, after: before, at: time)
                state.ring.add(sample.point, at: time, missed: missed)
                state.newest = sample
            }
            state.before = totals
        }
        seats.tick()
    }

    /// The folder that the server keeps its topics in, and the free bytes there; `nil` if it keeps none.
    func disk(_ path: String) -> (path: String, free: Int?)? {
        guard !path.isEmpty else { return nil }
        let now = LoopContext.monotonicNow()
        let known = state.withLockedValue { $0.free }
        if let known, now < known.until { return (path, known.bytes) }
        let free = FreeSpace.bytes(at: path)
        state.withLockedValue { $0.free = (free, now + Self.freshness) }
        return (path, free)
    }
}
