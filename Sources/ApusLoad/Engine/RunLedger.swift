/// What the conductor recorded: samples of the server and the counters at important moments and in between.
struct RunLedger: Sendable {
    /// The counters and the server at one moment.
    struct Sample: Sendable {
        let time: UInt64
        let published: Int
        let acked: Int
        let delivered: Int
        let server: ServerSample
        /// The processor time of this process, in nanoseconds.
        let generator: UInt64
    }

    let pids: [Int32]
    /// Before the first connection.
    let atStart: ServerSample
    /// When the last connection was ready.
    private(set) var atConnected: ServerSample
    /// The same after a moment of rest: the memory of idle connections.
    var connectedBytes: ServerSample
    var connectSeconds = 0.0
    private(set) var measured: Sample?
    private(set) var end: Sample?
    var finalBytes: ServerSample
    /// From the start of publishing on.
    var samples: [Sample] = []

    init(pids: [Int32]) {
        self.pids = pids
        atStart = ServerSample.take(pids, details: true)
        atConnected = atStart
        connectedBytes = atStart
        finalBytes = atStart
    }

    mutating func markConnected() {
        atConnected = ServerSample.take(pids)
        connectedBytes = atConnected
    }

    mutating func markMeasured(_ sample: Sample) {
        measured = sample
        samples.append(sample)
    }

    mutating func markEnd(_ sample: Sample) {
        end = sample
        samples.append(sample)
    }
}
