import Histogram

/// The results of one thread.
struct ThreadReport: Sendable {
    /// The results of one subscriber.
    struct Subscriber: Sendable {
        let topic: Int
        let isStalled: Bool
        /// The number of distinct messages received.
        let received: Int
        /// The number of messages that the server said it had dropped.
        let announced: Int
        let isClosed: Bool
    }

    var subscribers: [Subscriber] = []
    var published = 0
    var acked = 0
    var doubled = 0
    var outOfOrder = 0
    /// Marks that no publisher wrote.
    var strange = 0
    var errors = 0
    var closed = 0
    var bytesReceived = 0
    var reads = 0
    /// The first few errors and close reasons.
    var texts: [String] = []
    /// In the measured time: elapsed time, processor time, and time without anything to do. In nanoseconds.
    var wallTime: UInt64 = 0
    var runTime: UInt64 = 0
    var idleTime: UInt64 = 0
    var latency = LatencyRecorder.emptyHistogram()
    var ackLatency = LatencyRecorder.emptyHistogram()
    /// How much later than due the messages of an open loop were sent.
    var lateness = LatencyRecorder.emptyHistogram()
    var isSpinning = false

    /// The share of the measured time in which the thread had something to do, from 0 to 1.
    var busyShare: Double {
        guard wallTime > 0 else { return 0 }
        // A spinning thread runs all the time. A sleeping thread may count too much time as idle.
        let busy = min(Double(runTime), Double(wallTime) - Double(idleTime))
        return min(1, max(0, busy / Double(wallTime)))
    }
}
