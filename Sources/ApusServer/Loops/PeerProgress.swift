import ApusSockets

/// When a peer was last seen to take what it is sent. Times in milliseconds of one monotonic clock.
///
/// A full socket that has room again shows it, but with large buffers that is seldom; so the kernel is asked, again and
/// again while it matters, and what it says is compared.
struct PeerProgress {
    /// How much longer the next sign may take of a peer that takes what it is sent. It tells of room in steps, as large
    /// as a segment, which on loopback is 64 KiB, or a sixteenth of its buffer.
    static let patience: Int64 = 5000
    /// What pings and heartbeats take, which a peer's kernel takes also when the peer itself reads nothing.
    private static let leastWaiting: Int32 = 256
    /// A window that grows by less than this, or a sixteenth, may do so by itself.
    private static let leastGrowth: UInt32 = 4096

    private(set) var lastTaken = Int64.min
    /// What the kernel said first since the last sign.
    private var baseline: SocketProgress?

    /// Whether there is something that the peer has yet to take.
    var isWaiting: Bool { (baseline?.waiting ?? 0) > Self.leastWaiting }

    /// A socket that was full has room.
    mutating func took(now: Int64) {
        lastTaken = now
        baseline = nil
    }

    /// The peer has shown in another way that it lives.
    mutating func forget() {
        baseline = nil
    }

    /// Compares what the kernel says now with what it said first.
    ///
    /// - Returns: whether the peer has taken something.
    mutating func look(now: Int64, _ progress: SocketProgress?) -> Bool {
        guard let progress else { return false }
        guard let baseline else {
            self.baseline = progress
            return false
        }
        let isTaken = baseline.waiting > Self.leastWaiting && progress.acknowledged > baseline.acknowledged
        // Where all has arrived the peer may still have a buffer to read: then it has more room when it is asked again.
        let growth = max(baseline.window / 16, Self.leastGrowth)
        guard isTaken || progress.window > baseline.window &+ growth else { return false }
        took(now: now)
        return true
    }
}

/// For how long a peer's kernel has acknowledged nothing of what waits for it. Times as above.
///
/// One that is gone without a word answers nothing, and where little is sent to it, it fills no socket for hours.
struct PeerSilence {
    /// How often the kernel is asked.
    private static let interval: Int64 = 15_000

    private var nextLook: Int64
    private var silent: (since: Int64, acknowledged: UInt64)?

    init(now: Int64) {
        nextLook = now + Self.interval
    }

    /// - Parameter progress: asks the kernel; called now and then only.
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
