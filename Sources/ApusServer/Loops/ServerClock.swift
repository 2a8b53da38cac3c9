import ApusProtocol
import CEpoll
import Glibc
import Synchronization

/// The current time, used to stamp messages and to compute their age.
///
/// There are two clocks: the wall clock, and the time since boot, which includes machine sleep. They run at the same
/// rate until somebody sets the wall clock, which changes its lead over the other. All threads use the same lead while
/// it changes by less than ``tolerance``, so that the milliseconds between two clock readings do not look like many
/// small steps.
enum ServerClock {
    /// In milliseconds: longer than the gap between two consecutive readings, and too short to matter to a lifetime.
    private static let tolerance: Int64 = 10
    /// How often a pair of readings is repeated, since a thread switch may fall between the two.
    private static let attempts = 8
    private static let lead = Atomic(Int64.min)

    static var now: Moment {
        let wall = read(CLOCK_REALTIME)
        let known = lead.load(ordering: .relaxed)
        let drift = wall &- read(CLOCK_BOOTTIME) &- known
        guard drift <= tolerance, drift >= -tolerance else { return settle() }
        return Moment(wall: wall, steady: wall &- known)
    }

    /// Stores the wall clock's new lead.
    @inline(never)
    private static func settle() -> Moment {
        var best = (span: Int64.max, moment: Moment(wall: 0, steady: 0))
        for _ in 0..<attempts where best.span > 1 {
            let before = read(CLOCK_BOOTTIME)
            let wall = read(CLOCK_REALTIME)
            let span = read(CLOCK_BOOTTIME) - before
            if span < best.span { best = (span, Moment(wall: wall, steady: before)) }
        }
        let (wall, steady) = (best.moment.wall, best.moment.steady)
        let drift = wall &- steady &- lead.load(ordering: .relaxed)
        // A thread switch may have fallen between the first two readings only, so compare again.
        if drift < -tolerance || drift > tolerance { lead.store(wall &- steady, ordering: .relaxed) }
        return best.moment
    }

    @inline(__always)
    private static func read(_ clock: clockid_t) -> Int64 { Int64(cepoll_milliseconds(clock)) }
}

extension Timestamp {
    /// The current time of the wall clock.
    static var now: Timestamp { Timestamp(ServerClock.now) }
}
