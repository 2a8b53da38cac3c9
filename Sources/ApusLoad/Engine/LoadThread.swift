import ApusSockets
import Synchronization

/// One thread of a run: its connections, their books, and the loop that drives them.
///
/// Everything here belongs to the thread. It tells `LoadShared` how far it is after every poll.
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

    @exclusivity(unchecked) var subscribers: [LoadSocket] = []
    @exclusivity(unchecked) var publishers: [LoadSocket] = []
    /// Publishers that have credit.
    @exclusivity(unchecked) var listed: [LoadSocket] = []
    /// `SequenceTrack`s: of each subscriber here, one for each publisher of the run.
    let tracks: UnsafeMutableBufferPointer<SequenceTrack>
    /// The last sequence of each publisher here on each topic.
    let sequences: UnsafeMutableBufferPointer<UInt64>

    @exclusivity(unchecked) var report = ThreadReport()
    @exclusivity(unchecked) var latency = LatencyRecorder()
    @exclusivity(unchecked) var ackLatency = LatencyRecorder()
    @exclusivity(unchecked) var lateness = LatencyRecorder()
    /// Messages that were sent, or due, in this time count for latencies.
    @exclusivity(unchecked) var measured: Range<UInt64> = 0..<0
    @exclusivity(unchecked) var delivered = 0
    @exclusivity(unchecked) var deliveredLate = 0
    @exclusivity(unchecked) var readyCount = 0
    @exclusivity(unchecked) var connecting = 0
    @exclusivity(unchecked) var nextToConnect = 0
    /// Whether the last poll or turn had anything to do.
    @exclusivity(unchecked) var wasBusy = false

    /// Numbers of the subscribers and publishers that this thread has.
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

    /// Does everything and reports.
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

    /// Until all threads are connected and the conductor has said when to start.
    private func wait() {
        while shared.start.load(ordering: .acquiring) == 0, !shared.isStopping { poll(timeout: 1) }
    }

    private func read(until phase: LoadShared.Phase) {
        while shared.phase < phase { poll(timeout: 5) }
    }

    /// One look at the sockets.
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

    /// Closes everything, which ends the ring of references, and adds up.
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
