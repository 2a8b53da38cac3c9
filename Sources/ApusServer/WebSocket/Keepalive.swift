import ApusProtocol
import ApusSockets

/// Decides when to ping a connection, and when the peer has shown no sign of life for too long. Times are in
/// milliseconds of one monotonic clock.
///
/// Signs of life are received bytes, and bytes that the peer accepts. A pong alone is not enough: it may have to wait
/// behind a long message, and the ping may have to wait behind data that the peer has not read yet.
struct Keepalive {
    enum Action: Equatable {
        case nothing
        case ping
        case noPong
    }

    /// Whether bytes have arrived since the last tick.
    var hasHeard = false
    private var taking = PeerProgress()
    /// The time between pings, in milliseconds; 0 means no pings.
    private let interval: Int64
    private let timeout: Int64
    private var nextPing: Int64
    private var pongDeadline: Int64 = .max
    /// Whether the deadline was extended because the peer may still be accepting data.
    private var isPatient = false

    init(now: Int64, _ timeouts: ServerConfiguration.Timeouts) {
        interval = timeouts.pingInterval.wholeMilliseconds
        timeout = timeouts.pong.wholeMilliseconds
        nextPing = interval > 0 ? now + interval : .max
    }

    /// When the peer last accepted data.
    var lastTaken: Int64 { taking.lastTaken }

    /// - Parameters:
    ///   - isReading: whether the connection reads its input. If not, it cannot see a pong.
    ///   - isBlocked: whether data waits for the socket to become writable.
    ///   - progress: asks the kernel. Called only when a pong is late.
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
        // A full socket would only collect the pings.
        return isReading && !isBlocked ? .ping : .nothing
    }

    /// Records that a full socket has become writable.
    mutating func took(now: Int64) {
        taking.took(now: now)
        putOff(now: now)
    }

    /// Records the kernel's answer.
    mutating func look(now: Int64, _ progress: SocketProgress?) {
        if taking.look(now: now, progress) { putOff(now: now) }
    }

    private mutating func putOff(now: Int64) {
        isPatient = true
        if pongDeadline != .max { pongDeadline = now + interval + timeout + PeerProgress.patience }
    }

    /// Extends the deadline by time in which the server itself did nothing.
    mutating func excuse(_ time: Int64) {
        if pongDeadline != .max { pongDeadline += time }
    }
}
