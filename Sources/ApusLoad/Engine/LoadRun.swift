import ApusSockets
import Foundation
import Synchronization

/// Conducts a run: starts the threads, tells them when to begin and end, samples the server, and adds up the results.
///
/// ```
/// threads   connect ─────► publish: warm-up, measured time ─────► read the rest ──► stalled ones ──► end
/// conductor     │ start ▲  │ samples every 100 ms              │ until all is there, or nothing comes
/// ```
public struct LoadRun: Sendable {
    /// The interval between samples of the counters and the server, in seconds. Longer in a long run.
    private static let sampleSeconds = 0.1
    /// The maximum number of moments in a timeline.
    private static let momentLimit = 600.0
    /// How long the run waits for another connection to become ready, in seconds.
    private static let connectPatience = 30.0

    public let settings: LoadSettings
    private let control: LoadControl

    /// Creates a run without starting it.
    public init(settings: LoadSettings, control: LoadControl = LoadControl()) {
        self.settings = settings
        self.control = control
    }

    /// Runs to the end.
    ///
    /// - Throws: ``LoadFailure`` if there can be no result. Lost messages and similar faults are part of the result.
    public func run() async throws(LoadFailure) -> LoadResult {
        try settings.validate()
        try settings.claimFiles()
        let pids = settings.serverPIDs ?? ServerProcesses.listening(at: settings.address)
        var ledger = RunLedger(pids: pids)
        let shared = LoadShared(threads: settings.threads, topics: settings.topics)
        let began = LoadClock.now()
        try startThreads(shared)
        do {
            try await conduct(shared, ledger: &ledger, began: began)
        } catch {
            shared.fail(error)
            shared.enter(.ending)
            await waitForThreads(shared)
            throw error
        }
        shared.enter(.ending)
        await waitForThreads(shared)
        control.update { $0.stage = .finished }
        return LoadTally(settings: settings, ledger: ledger, reports: shared.finished, sent: shared.sent)
            .result(isInterrupted: control.isInterrupted)
    }

    /// The threads share only `shared`. Each thread creates its other objects itself.
    private func startThreads(_ shared: LoadShared) throws(LoadFailure) {
        let settings = settings
        for index in 0..<settings.threads {
            Thread.detachNewThread {
                do throws(SocketError) {
                    try LoadThread(settings: settings, index: index, shared: shared).run()
                } catch {
                    shared.fail(LoadFailure(.broken, "cannot wait for sockets: \(error)"))
                    shared.add(ThreadReport())
                }
            }
        }
    }

    private func waitForThreads(_ shared: LoadShared) async {
        while shared.finished.count < settings.threads { await Self.sleep(0.002) }
    }

    // MARK: Phases

    private func conduct(_ shared: LoadShared, ledger: inout RunLedger, began: UInt64) async throws(LoadFailure) {
        try await waitForConnections(shared)
        let last = shared.counters.map { $0.readyAt.load(ordering: .relaxed) }.max() ?? began
        ledger.connectSeconds = Double(seconds: last - min(last, began))
        ledger.markConnected()
        if settings.isPublishing || settings.subscribers > 0 { try await settle(shared, ledger: &ledger) }
        let start = LoadClock.now() + 20_000_000
        shared.start.store(start, ordering: .releasing)
        let warmEnd = start + UInt64(settings.warmup * 1e9)
        let end = warmEnd + UInt64(settings.duration * 1e9)
        control.update { $0.stage = .warmingUp }
        try await watch(shared, ledger: &ledger, until: warmEnd)
        ledger.markMeasured(sample(shared, details: true, ledger: ledger))
        control.update { $0.stage = .measuring }
        try await watch(shared, ledger: &ledger, until: end)
        ledger.markEnd(sample(shared, details: false, ledger: ledger))
        control.update { $0.stage = .draining }
        try await drain(shared)
        ledger.finalBytes = ServerSample.take(ledger.pids, details: true)
        if settings.stalled > 0 {
            shared.enter(.readingStalled)
            try await waitUntilQuiet(shared, patience: 0.5) { false }
        }
    }

    private func waitForConnections(_ shared: LoadShared) async throws(LoadFailure) {
        var ready = -1
        var lastProgress = LoadClock.now()
        control.update { $0.connections = settings.connections }
        while true {
            let now = shared.sum(\.readyCount)
            control.update { $0.connected = now }
            if let failure = shared.failure { throw failure }
            if shared.counters.allSatisfy({ $0.readyAt.load(ordering: .relaxed) > 0 }) { return }
            if control.isInterrupted { throw LoadFailure(.broken, "interrupted while connecting") }
            if now != ready {
                ready = now
                lastProgress = LoadClock.now()
            } else if Double(seconds: LoadClock.now() - lastProgress) > Self.connectPatience {
                throw LoadFailure(.unreachable, "only \(now) of \(settings.connections) connections became ready")
            }
            await Self.sleep(0.005)
        }
    }

    /// Lets the server finish its work for new connections, so that its memory is that of idle connections.
    private func settle(_ shared: LoadShared, ledger: inout RunLedger) async throws(LoadFailure) {
        await Self.sleep(settings.connections > 1_000 ? 1 : 0.2)
        if let failure = shared.failure { throw failure }
        ledger.connectedBytes = ServerSample.take(ledger.pids, details: true)
    }

    /// Takes samples until `end`.
    private func watch(_ shared: LoadShared, ledger: inout RunLedger, until end: UInt64) async throws(LoadFailure) {
        let interval = max(Self.sampleSeconds, (settings.warmup + settings.duration) / Self.momentLimit)
        while true {
            if let failure = shared.failure { throw failure }
            if control.isInterrupted { return shared.stop() }
            let now = LoadClock.now()
            guard now < end else { return }
            await Self.sleep(min(interval, Double(seconds: end - now)))
            let sample = sample(shared, details: false, ledger: ledger)
            ledger.samples.append(sample)
            control.update {
                $0.published = sample.published
                $0.delivered = sample.delivered
            }
        }
    }

    private func sample(_ shared: LoadShared, details: Bool, ledger: RunLedger) -> RunLedger.Sample {
        RunLedger.Sample(
            time: LoadClock.now(),
            published: shared.sum(\.publishedCount),
            acked: shared.sum(\.ackedCount),
            delivered: shared.sum(\.deliveredCount),
            server: ServerSample.take(ledger.pids, details: details),
            generator: LoadClock.processTime()
        )
    }

    /// Waits until every message has arrived everywhere, or none has arrived for `patience` seconds.
    private func drain(_ shared: LoadShared) async throws(LoadFailure) {
        while !shared.counters.allSatisfy({ $0.isPublished.load(ordering: .relaxed) }) {
            if let failure = shared.failure { throw failure }
            await Self.sleep(0.002)
        }
        let readers = settings.readersByTopic
        let expected = zip(shared.sent, readers).reduce(0) { $0 + $1.0 * $1.1 }
        try await waitUntilQuiet(shared, patience: settings.patience) { shared.sum(\.deliveredCount) >= expected }
        // Duplicates arrive now, if there are any.
        await Self.sleep(0.1)
    }

    private func waitUntilQuiet(
        _ shared: LoadShared,
        patience: Double,
        or isDone: () -> Bool
    ) async throws(LoadFailure) {
        var last = -1
        var lastProgress = LoadClock.now()
        while !isDone() {
            if let failure = shared.failure { throw failure }
            let now = shared.sum(\.deliveredCount) + shared.sum(\.deliveredLateCount)
            if now != last {
                last = now
                lastProgress = LoadClock.now()
            } else if Double(seconds: LoadClock.now() - lastProgress) > patience {
                return
            }
            await Self.sleep(0.01)
        }
    }

    private static func sleep(_ seconds: Double) async {
        try? await Task.sleep(for: .nanoseconds(Int64(seconds * 1e9)))
    }
}

extension LoadSettings {
    /// For each topic, the number of subscribers that read all the time.
    var readersByTopic: [Int] {
        var readers = [Int](repeating: 0, count: topics)
        for number in 0..<subscribers where !isStalled(number) { readers[number % topics] += 1 }
        return readers
    }
}
