import ApusSockets

/// Tracks when a peer last accepted sent data. Times are in milliseconds of one monotonic clock.
///
/// A full socket that becomes writable again shows progress, but with large buffers that is rare. So the caller asks
/// the kernel repeatedly while the answer matters, and this type compares the results.
struct PeerProgress {
    /// How much longer a peer that accepts data may take until the next sign, in milliseconds. The peer's kernel
    /// reports free space in steps: as large as a segment (64 KiB on loopback) or a sixteenth of its buffer.
    static let patience: Int64 = 5000
    /// The most bytes that pings and heartbeats use. A peer's kernel accepts them even when the peer reads nothing.
    private static let leastWaiting: Int32 = 256
    /// A window that grows by less than this many bytes, or by less than a sixteenth, may grow without a read.
    private static let leastGrowth: UInt32 = 4096

    private(set) var lastTaken = Int64.min
    /// The first answer of the kernel since the last sign of progress.
    private var baseline: SocketProgress?

    /// Whether the peer still has sent data to accept.
    var isWaiting: Bool { (baseline?.waiting ?? 0) > Self.leastWaiting }

    /// Records that a full socket has become writable.
    mutating func took(now: Int64) {
        lastTaken = now
        baseline = nil
    }

    /// Records that the peer has shown another sign of life.
    mutating func forget() {
        baseline = nil
    }

    /// Compares the kernel's answer with its first answer.
    ///
    /// - Returns: whether the peer has accepted something in between.
    mutating func look(now: Int64, _ progress: SocketProgress?) -> Bool {
        guard let progress else { return false }
        guard let baseline else {
            self.baseline = progress
            return false
        }
        let isTaken = baseline.waiting > Self.leastWaiting && progress.acknowledged > baseline.acknowledged
        // When everything has arrived, the peer may still have to read its buffer. Its window grows when it does.
        let growth = max(baseline.window / 16, Self.leastGrowth)
        guard isTaken || progress.window > baseline.window &+ growth else { return false }
        took(now: now)
        return true
    }
}

/// Measures for how long a peer's kernel has acknowledged none of the waiting data. Times are in milliseconds.
///
/// A peer that vanished without closing acknowledges nothing, but with little traffic it takes hours to fill the
/// socket.
struct PeerSilence {
    /// How often the kernel is asked.
    private static let interval: Int64 = 15_000

    private var nextLook: Int64
    private var silent: (since: Int64, acknowledged: UInt64)?

    init(now: Int64) {
        nextLook = now + Self.interval
    }

    /// - Parameter progress: asks the kernel. Called at most once per interval.
    mutating func time(now: Int64, _ progress: @autoclosure () -> SocketProgress?) -> Int64 {
        guard now >= nextLook else { return 0 }
        nextLook = now + Self.interval
        guard let progress = progress(), progress.waiting > 0 else {
            silent = nil
            return 0
        }
        if let silent, silent.acknowledged == progress.acknowledged { return now - silent.since }
        silent = (now, progress.acknowledged)
        return 0
    }
}
