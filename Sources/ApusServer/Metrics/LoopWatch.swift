import Synchronization

/// Detects stuck event loops, for `/livez`.
///
/// Each loop stores the time on every tick, and a check computes how long ago that was. A liveness probe must fail
/// slowly: a failure restarts the server, and then all clients reconnect at once. A single late or missed tick is not a
/// failure.
///
/// Times are in milliseconds of one monotonic clock.
final class LoopWatch: Sendable {
    /// One loop's last sign of life.
    final class Beat: Sendable {
        private let last: Atomic<Int64>

        fileprivate init(now: Int64) {
            last = Atomic(now)
        }

        /// Records a sign of life. The loop calls this on every tick.
        func beat(now: Int64) {
            last.store(now, ordering: .relaxed)
        }

        fileprivate func silence(now: Int64) -> Int64 {
            now - last.load(ordering: .relaxed)
        }
    }

    /// How many ticks a loop may always miss, however short the timeout is.
    private static let leastTicks: Int64 = 3

    /// One beat for each loop, in the order of the loops.
    let beats: [Beat]
    private let timeout: Int64

    /// - Parameters:
    ///   - timeout: after how long without a tick a loop counts as stuck; 0 means never.
    ///   - tickInterval: how often a loop ticks. The effective timeout is at least three times this.
    ///   - now: counts as the first beat of each loop.
    init(loops: Int, timeout: Int64, tickInterval: Int64, now: Int64) {
        self.beats = (0..<loops).map { _ in Beat(now: now) }
        self.timeout = timeout > 0 ? max(timeout, tickInterval * Self.leastTicks) : 0
    }

    /// Whether no loop has been silent for the timeout.
    func isAlive(now: Int64) -> Bool {
        stuckLoops(now: now).isEmpty
    }

    /// The indices of the loops that have been silent for the timeout.
    func stuckLoops(now: Int64) -> [Int] {
        guard timeout > 0 else { return [] }
        return beats.indices.filter { beats[$0].silence(now: now) >= timeout }
    }
}
