/// Messages and bytes per second, averaged over about the last ten seconds.
///
/// It compares totals that somebody else counts, in intervals of ``span``. The last complete interval is weighted by
/// how much of it is still in range.
struct RateMeter {
    /// Everything published so far.
    struct Totals {
        var messages: UInt64 = 0
        var bytes: UInt64 = 0
    }

    /// In milliseconds.
    private static let span: Int64 = 10_000

    private var start: Int64 = 0
    /// The totals when the current interval began, and when the one before it did.
    private var atStart = Totals()
    private var atStartBefore = Totals()

    /// Whether an interval has ended, so that ``roll(to:_:)`` must be called before something is added to the totals.
    @inline(__always)
    func isDue(at now: Int64) -> Bool { now - start >= Self.span }

    /// Begins the next interval.
    mutating func roll(to now: Int64, _ totals: Totals) {
        let isNext = now - start < 2 * Self.span
        atStartBefore = isNext ? atStart : totals
        start = isNext ? start + Self.span : now
        atStart = totals
    }

    /// Messages and bytes per second.
    func rates(now: Int64, totals: Totals) -> (messages: Double, bytes: Double) {
        var meter = self
        if isDue(at: now) { meter.roll(to: now, totals) }
        let seconds = Double(Self.span) / 1000
        let weight = 1 - min(max(Double(now - meter.start) / Double(Self.span), 0), 1)
        func rate(_ count: KeyPath<Totals, UInt64>) -> Double {
            let current = totals[keyPath: count] - meter.atStart[keyPath: count]
            let before = meter.atStart[keyPath: count] - meter.atStartBefore[keyPath: count]
            return (Double(current) + weight * Double(before)) / seconds
        }
        return (rate(\.messages), rate(\.bytes))
    }
}
