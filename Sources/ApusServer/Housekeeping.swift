import ApusBroker
import ApusProtocol
import CEpoll
import Glibc

/// What is done every now and then, off the event loops: what time has made useless goes, and memory goes back to the
/// system when the server is quiet.
struct Housekeeping {
    /// How often topics are looked at, and how many of them at once: with more, it takes several times to look at all.
    private static let (interval, topicsAtOnce) = (Duration.seconds(1), 10_000)

    let broker: any Broker
    let workers: Workers
    /// `nil` where somebody else has them.
    let http: HTTPConnections?
    /// How long the server has to be quiet, in milliseconds; 0 is for ever.
    let releaseAfter: Int64

    /// Goes on until its task is cancelled.
    func run() async {
        var watch = QuietWatch(patience: releaseAfter, now: Worker.monotonicNow(), processorTime: Self.processorTime)
        while !Task.isCancelled {
            try? await Task.sleep(for: Self.interval)
            broker.trim(now: ServerClock.now.steady, limit: Self.topicsAtOnce)
            if watch.isTime(now: Worker.monotonicNow(), processorTime: Self.processorTime) { await releaseMemory() }
        }
    }

    private func releaseMemory() async {
        await workers.releaseMemory()
        http?.releaseMemory()
        broker.releaseMemory()
        // Free pages amid others' too. Takes up to 25 ms for each 100 MB that are free, and holds up who allocates
        // meanwhile: that is why it waits for quiet.
        malloc_trim(0)
    }

    /// What all threads of the process have taken so far, in milliseconds.
    private static var processorTime: Int64 { Int64(cepoll_milliseconds(CLOCK_PROCESS_CPUTIME_ID)) }
}

/// Says when a server that has worked is quiet. Times in milliseconds.
struct QuietWatch {
    /// What pings and heartbeats of a hundred thousand idle connections take is quiet: percent of one core.
    private static let quietShare: Int64 = 5
    /// After less work than this, in processor time, there is not much to give back.
    private static let leastWork: Int64 = 200

    private let patience: Int64
    private var last: (now: Int64, processorTime: Int64)
    private var quietSince: Int64
    private var released: Int64

    /// - Parameters:
    ///   - patience: for how long it has to be quiet; 0 is for ever.
    ///   - now: a monotonic time.
    ///   - processorTime: what the process has taken so far.
    init(patience: Int64, now: Int64, processorTime: Int64) {
        self.patience = patience
        last = (now, processorTime)
        quietSince = now
        released = processorTime
    }

    /// Whether memory is to be given back now: once for each time that it has worked and then was quiet.
    mutating func isTime(now: Int64, processorTime: Int64) -> Bool {
        if (processorTime - last.processorTime) * 100 > (now - last.now) * Self.quietShare { quietSince = now }
        last = (now, processorTime)
        let isQuiet = patience > 0 && now - quietSince >= patience
        guard isQuiet, processorTime - released >= Self.leastWork else { return false }
        released = processorTime
        return true
    }
}
