import ApusSockets

/// When a connection is pinged, and when it has given no sign of life for too long. Times in milliseconds of one monotonic clock.
///
/// Signs of life are bytes that come, and bytes that the peer takes: a pong may have to wait behind a message that takes long to
/// come, and a ping behind what the peer has yet to read. That it takes some is seen when a full socket has room again, which
/// with large buffers is seldom; so where a pong is late, the kernel is asked.
struct Keepalive {
    enum Action: Equatable {
        case nothing
        case ping
        case noPong
    }

    /// How much longer the next sign may take of a peer that takes what it is sent. It tells of room in steps, as large as a
    /// segment, which on loopback is 64 KiB, or a sixteenth of its buffer.
    static let patience: Int64 = 5000
    /// What pings and heartbeats take, which a peer's kernel takes also when the peer itself reads nothing.
    private static let leastWaiting: Int32 = 256
    private static let leastGrowth: UInt32 = 4096

    /// Bytes have come since the last tick.
    var hasHeard = false
    /// When the peer was last seen to take something.
    private(set) var lastTaken = Int64.min
    /// 0: never.
    private let interval: Int64
    private let timeout: Int64
    private var nextPing: Int64
    private var pongDeadline: Int64 = .max
    /// Whether the deadline was put off once because the peer has something to take.
    private var isPatient = false
    /// What the kernel said first since the last sign of life.
    private var baseline: SocketProgress?

    init(now: Int64, settings: WorkerSettings) {
        interval = settings.pingInterval
        timeout = settings.pongTimeout
        nextPing = interval > 0 ? now + interval : .max
    }

    /// - Parameters:
    ///   - isReading: whether what the peer sends is read; else no pong can be seen.
    ///   - isBlocked: whether something waits for the socket to take more.
    ///   - progress: asks the kernel; called only when a pong is late.
    mutating func tick(
        now: Int64,
        isReading: Bool,
        isBlocked: Bool,
        progress: () -> SocketProgress?
    ) -> Action {
        if hasHeard {
            hasHeard = false
            heard()
        }
        guard isReading || isBlocked else {
            heard()
            return .nothing
        }
        if pongDeadline != .max {
            look(now: now, progress())
            if now >= pongDeadline {
                let mayBeTaking = isBlocked || (baseline?.waiting ?? 0) > Self.leastWaiting
                guard mayBeTaking, !isPatient else { return .noPong }
                isPatient = true
                pongDeadline = now + Self.patience
            }
        }
        guard now >= nextPing else { return .nothing }
        nextPing = now + interval
        if timeout > 0, pongDeadline == .max { pongDeadline = now + timeout }
        // Pings that a full socket does not take would only become more.
        return isReading && !isBlocked ? .ping : .nothing
    }

    private mutating func heard() {
        pongDeadline = .max
        isPatient = false
        baseline = nil
    }

    /// The peer took something: a socket that was full has room.
    mutating func took(now: Int64) {
        lastTaken = now
        baseline = nil
        isPatient = true
        if pongDeadline != .max { pongDeadline = now + interval + timeout + Self.patience }
    }

    /// Compares what the kernel says with what it said first.
    mutating func look(now: Int64, _ progress: SocketProgress?) {
        guard let progress else { return }
        guard let baseline else {
            self.baseline = progress
            return
        }
        let isTaken = baseline.waiting > Self.leastWaiting && progress.acknowledged > baseline.acknowledged
        // Where all has arrived the peer may still have a buffer to read: then it has more room when it is asked again.
        let growth = max(baseline.window / 16, Self.leastGrowth)
        if isTaken || progress.window > baseline.window &+ growth { took(now: now) }
    }

    /// Time passed in which the server itself did nothing.
    mutating func excuse(_ time: Int64) {
        if pongDeadline != .max { pongDeadline += time }
    }
}
