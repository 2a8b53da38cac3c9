import ApusProtocol
import CEpoll
import Glibc
import Synchronization

/// What time it is, for whoever stamps messages or lets them age.
///
/// The wall clock and that of the time since the boot, in which a machine's sleep counts, go at the same rate until the
/// former is set: then the wall clock's lead is another. Within ``tolerance`` it is the same for all threads, so that
/// the milliseconds between two readings of clocks do not look like many small steps.
enum ServerClock {
    /// In milliseconds: more than two readings in a row lie apart, less than anybody sees of a lifetime.
    private static let tolerance: Int64 = 10
    /// How often a reading is repeated that another thread's turn may have torn apart.
    private static let attempts = 8
    private static let lead = Atomic(Int64.min)

    static var now: Moment {
        let wall = read(CLOCK_REALTIME)
        let known = lead.load(ordering: .relaxed)
        let drift = wall &- read(CLOCK_BOOTTIME) &- known
        guard drift <= tolerance, drift >= -tolerance else { return settle() }
        return Moment(wall: wall, steady: wall &- known)
    }

    /// Takes the wall clock's new lead.
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
        // It may have been torn apart just the first time.
        if drift < -tolerance || drift > tolerance { lead.store(wall &- steady, ordering: .relaxed) }
        return best.moment
    }

    @inline(__always)
    private static func read(_ clock: clockid_t) -> Int64 { Int64(cepoll_milliseconds(clock)) }
}

extension Timestamp {
    /// The wall clock's time.
    static var now: Timestamp { Timestamp(ServerClock.now) }
}
