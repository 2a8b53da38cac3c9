import Histogram

/// What one thread found.
struct ThreadReport: Sendable {
    /// What became of one subscriber.
    struct Subscriber: Sendable {
        let topic: Int
        let isStalled: Bool
        /// Different messages that it got.
        let received: Int
        /// Messages that the server said it left out.
        let announced: Int
        let isClosed: Bool
    }

    var subscribers: [Subscriber] = []
    var published = 0
    var acked = 0
    var doubled = 0
    var outOfOrder = 0
    /// Marks that nobody wrote.
    var strange = 0
    var errors = 0
    var closed = 0
    var bytesReceived = 0
    var reads = 0
    /// The first few errors and reasons of closes.
    var texts: [String] = []
    /// Nanoseconds of the measured time, of them run, and of them passed without anything to do.
    var wallTime: UInt64 = 0
    var runTime: UInt64 = 0
    var idleTime: UInt64 = 0
    var latency = LatencyRecorder.emptyHistogram()
    var ackLatency = LatencyRecorder.emptyHistogram()
    /// How much later than due messages of an open loop went out.
    var lateness = LatencyRecorder.emptyHistogram()
    var isSpinning = false

    /// The share of the measured time in which the thread had something to do.
    var busyShare: Double {
        guard wallTime > 0 else { return 0 }
        // One that spins runs all the time; one that sleeps may be called idle for longer than it knows.
        let busy = min(Double(runTime), Double(wallTime) - Double(idleTime))
        return min(1, max(0, busy / Double(wallTime)))
    }
}
