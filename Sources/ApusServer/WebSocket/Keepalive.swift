import ApusSockets

/// When a connection is pinged, and when it has given no sign of life for too long. Times in milliseconds of one
/// monotonic clock.
///
/// Signs of life are bytes that come, and bytes that the peer takes: a pong may have to wait behind a message that
/// takes long to come, and a ping behind what the peer has yet to read.
struct Keepalive {
    enum Action: Equatable {
        case nothing
        case ping
        case noPong
    }

    /// Bytes have come since the last tick.
    var hasHeard = false
    private var taking = PeerProgress()
    /// 0: never.
    private let interval: Int64
    private let timeout: Int64
    private var nextPing: Int64
    private var pongDeadline: Int64 = .max
    /// Whether the deadline has been put off because the peer may be taking something.
    private var isPatient = false

    init(now: Int64, settings: WorkerSettings) {
        interval = settings.pingInterval
        timeout = settings.pongTimeout
        nextPing = interval > 0 ? now + interval : .max
    }

    /// When the peer was last seen to take something.
    var lastTaken: Int64 { taking.lastTaken }

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
        if hasHeard || !isReading && !isBlocked {
            hasHeard = false
            pongDeadline = .max
            isPatient = false
            taking.forget()
        }
        guard isReading || isBlocked else { return .nothing }
        if pongDeadline != .max {
            look(now: now, progress())
            if now >= pongDeadline {
                guard isBlocked || taking.isWaiting, !isPatient else { return .noPong }
                isPatient = true
                pongDeadline = now + PeerProgress.patience
            }
        }
        guard now >= nextPing else { return .nothing }
        nextPing = now + interval
        if timeout > 0, pongDeadline == .max { pongDeadline = now + timeout }
        // Pings that a full socket does not take would only become more.
        return isReading && !isBlocked ? .ping : .nothing
    }

    /// A socket that was full has room.
    mutating func took(now: Int64) {
        taking.took(now: now)
        putOff(now: now)
    }

    /// Takes note of what the kernel says.
    mutating func look(now: Int64, _ progress: SocketProgress?) {
        if taking.look(now: now, progress) { putOff(now: now) }
    }

    private mutating func putOff(now: Int64) {
        isPatient = true
        if pongDeadline != .max { pongDeadline = now + interval + timeout + PeerProgress.patience }
    }

    /// Time passed in which the server itself did nothing.
    mutating func excuse(_ time: Int64) {
        if pongDeadline != .max { pongDeadline += time }
    }
}
