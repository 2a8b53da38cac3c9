import Synchronization

/// Tells whether every event loop still does its work, for `/livez`.
///
/// Each loop leaves the time on its tick, and whoever asks looks how long ago that was. Slow to say no, as a liveness
/// probe has to be: who hears it restarts the server, and all its clients come at once. One tick that is late, or
/// missed, is none of that.
///
/// Times are milliseconds of one clock that never goes back.
final class LoopWatch: Sendable {
    /// One loop's last sign of life.
    final class Beat: Sendable {
        private let last: Atomic<Int64>

        fileprivate init(now: Int64) {
            last = Atomic(now)
        }

        /// Called by the loop, on every tick.
        func beat(now: Int64) {
            last.store(now, ordering: .relaxed)
        }

        fileprivate func silence(now: Int64) -> Int64 {
            now - last.load(ordering: .relaxed)
        }
    }

    /// So many ticks a loop may always miss, however short the timeout.
    private static let leastTicks: Int64 = 3

    /// One for each loop, in their order.
    let beats: [Beat]
    private let timeout: Int64

    /// - Parameters:
    ///   - timeout: after how long without a tick a loop is taken for stuck; 0 for never.
    ///   - tickInterval: how often a loop ticks. The timeout is at least three times that.
    ///   - now: counts as the first beat of each loop.
    init(loops: Int, timeout: Int64, tickInterval: Int64, now: Int64) {
        self.beats = (0..<loops).map { _ in Beat(now: now) }
        self.timeout = timeout > 0 ? max(timeout, tickInterval * Self.leastTicks) : 0
    }

    /// Whether no loop has been silent for the timeout.
    func isAlive(now: Int64) -> Bool {
        stuckLoops(now: now).isEmpty
    }

    /// The numbers of the loops that have been silent for the timeout.
    func stuckLoops(now: Int64) -> [Int] {
        guard timeout > 0 else { return [] }
        return beats.indices.filter { beats[$0].silence(now: now) >= timeout }
    }
}
