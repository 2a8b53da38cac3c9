import ApusSockets
import ApusTLS
import Synchronization

/// One thread of a run: its connections, their counters, and the loop that drives them.
///
/// Everything here belongs to the thread. After every poll, it publishes its progress to `LoadShared`.
///
/// ```
/// connect ──► wait for the start ──► publish and read ──► read what is on its way ──► read the stalled ones ──► report
/// ```
final class LoadThread {
    /// The most bytes of one read: as much as the kernel is likely to have.
    static let readLimit = 256 << 10

    let settings: LoadSettings
    let index: Int
    let shared: LoadShared
    let counters: LoadShared.Counters
    let poller: Poller

    @exclusivity(unchecked) var parser: any LoadParser
    @exclusivity(unchecked) var events = LoadEvents()
    @exclusivity(unchecked) var encoder: PublishEncoder
    @exclusivity(unchecked) var answer: [UInt8] = []
    let input = ByteRoom(capacity: LoadThread.readLimit + (64 << 10))
    let output = ByteRoom(capacity: 64 << 10)
    private(set) lazy var tlsBuffers = TLSBuffers()

    @exclusivity(unchecked) var subscribers: [LoadSocket] = []
    @exclusivity(unchecked) var publishers: [LoadSocket] = []
    /// Publishers with credit.
    @exclusivity(unchecked) var listed: [LoadSocket] = []
    /// For each subscriber of this thread, one `SequenceTrack` for each publisher of the run.
    let tracks: UnsafeMutableBufferPointer<SequenceTrack>
    /// For each publisher of this thread, its last sequence on each topic.
    let sequences: UnsafeMutableBufferPointer<UInt64>

    @exclusivity(unchecked) var report = ThreadReport()
    @exclusivity(unchecked) var latency = LatencyRecorder()
    @exclusivity(unchecked) var ackLatency = LatencyRecorder()
    @exclusivity(unchecked) var lateness = LatencyRecorder()
    /// Latencies count only for messages that were sent or due in this time.
    @exclusivity(unchecked) var measured: Range<UInt64> = 0..<0
    @exclusivity(unchecked) var delivered = 0
    @exclusivity(unchecked) var deliveredLate = 0
    @exclusivity(unchecked) var readyCount = 0
    @exclusivity(unchecked) var connecting = 0
    @exclusivity(unchecked) var nextToConnect = 0
    /// Whether the last poll or round had anything to do.
    @exclusivity(unchecked) var wasBusy = false

    /// The numbers of this thread's subscribers and publishers.
    let subscriberNumbers: [Int]
    let publisherNumbers: [Int]

    init(settings: LoadSettings, index: Int, shared: LoadShared) throws(SocketError) {
        self.settings = settings
        self.index = index
        self.shared = shared
        counters = shared.counters[index]
        poller = try Poller()
        parser = settings.wire.makeParser()
        let firstTopic = LoadTopics.name(0, prefix: settings.topicPrefix)
        encoder = PublishEncoder(
            settings.wire.publishTemplate(topic: firstTopic, payloadBytes: settings.payloadBytes),
            topics: settings.topics,
            seed: LoadClock.now() &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(index)
        )
        subscriberNumbers = (0..<settings.subscribers).filter { settings.thread(ofSubscriber: $0) == index }
        publisherNumbers = (0..<settings.publishers).filter { $0 % settings.threads == index }
        tracks = .allocate(capacity: subscriberNumbers.count * settings.publishers)
        tracks.initialize(repeating: SequenceTrack())
        sequences = .allocate(capacity: publisherNumbers.count * settings.topics)
        sequences.initialize(repeating: 0)
    }

    deinit {
        tracks.deallocate()
        sequences.deallocate()
    }

    /// Runs all phases and reports.
    func run() {
        connectAll()
        if shared.failure == nil { wait() }
        if shared.failure == nil { publish() }
        if settings.isPublishing { shared.addSent(sentByTopic()) }
        counters.isPublished.store(true, ordering: .relaxed)
        read(until: .readingStalled)
        if settings.stalled > 0 { resumeStalled() }
        read(until: .ending)
        shared.add(finish())
    }

    /// Waits until all threads are connected and the conductor has set the start.
    private func wait() {
        while shared.start.load(ordering: .acquiring) == 0, !shared.isStopping { poll(timeout: 1) }
    }

    private func read(until phase: LoadShared.Phase) {
        while shared.phase < phase { poll(timeout: 5) }
    }

    /// Polls the sockets once.
    @inline(__always)
    func poll(timeout: CInt) {
        poller.poll(timeout: timeout)
        counters.delivered.store(delivered, ordering: .relaxed)
        counters.acked.store(report.acked, ordering: .relaxed)
        counters.published.store(report.published, ordering: .relaxed)
        counters.deliveredLate.store(deliveredLate, ordering: .relaxed)
    }

    private func sentByTopic() -> [Int] {
        var sums = [Int](repeating: 0, count: settings.topics)
        for place in sequences.indices { sums[place % settings.topics] += Int(sequences[place]) }
        return sums
    }

    /// Closes all connections, which breaks the reference cycles, and makes the report.
    private func finish() -> ThreadReport {
        report.subscribers = subscribers.map { socket in
            ThreadReport.Subscriber(
                topic: socket.subscriber.topic,
                isStalled: socket.subscriber.isStalled,
                received: socket.subscriber.received,
                announced: socket.subscriber.announced,
                isClosed: socket.phase == .closed
            )
        }
        report.latency = latency.finish()
        report.ackLatency = ackLatency.finish()
        report.lateness = lateness.finish()
        for socket in subscribers + publishers { close(socket) }
        subscribers = []
        publishers = []
        listed = []
        return report
    }
}
