/// When a connection is pinged, and when it has been silent for too long. Times in milliseconds of one monotonic clock.
struct Keepalive {
    enum Action: Equatable {
        case nothing
        case ping
        case noPong
    }

    /// 0: never.
    private let interval: Int64
    private let timeout: Int64
    private var nextPing: Int64
    private var pongDeadline: Int64 = .max
    /// While the server itself does not read, a pong cannot be seen.
    private var isPaused = false

    init(now: Int64, settings: WorkerSettings) {
        interval = settings.pingInterval
        timeout = settings.pongTimeout
        nextPing = interval > 0 ? now + interval : .max
    }

    mutating func tick(now: Int64) -> Action {
        guard !isPaused else { return .nothing }
        if now >= pongDeadline { return .noPong }
        guard now >= nextPing else { return .nothing }
        nextPing = now + interval
        if timeout > 0, pongDeadline == .max { pongDeadline = now + timeout }
        return .ping
    }

    mutating func receivedPong() {
        pongDeadline = .max
    }

    mutating func pause() {
        isPaused = true
    }

    mutating func resume(now: Int64) {
        isPaused = false
        if pongDeadline != .max { pongDeadline = now + timeout }
    }
}
