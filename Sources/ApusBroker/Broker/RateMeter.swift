/// Messages and bytes per second, averaged over about the last ten seconds.
///
/// It counts in intervals of ``span``. The last complete interval is weighted by how much of it is still in range.
struct RateMeter {
    /// In milliseconds.
    private static let span: Int64 = 10_000

    private var start: Int64 = 0
    private var messages = 0
    private var bytes = 0
    private var messagesBefore = 0
    private var bytesBefore = 0

    @inline(__always)
    mutating func add(_ count: Int, bytes size: Int, now: Int64) {
        if now - start >= Self.span { roll(to: now) }
        messages += count
        bytes += size
    }

    private mutating func roll(to now: Int64) {
        let isNext = now - start < 2 * Self.span
        messagesBefore = isNext ? messages : 0
        bytesBefore = isNext ? bytes : 0
        start = isNext ? start + Self.span : now
        (messages, bytes) = (0, 0)
    }

    /// Messages and bytes per second.
    func rates(now: Int64) -> (messages: Double, bytes: Double) {
        var meter = self
        if now - start >= Self.span { meter.roll(to: now) }
        let seconds = Double(Self.span) / 1000
        let weight = 1 - min(max(Double(now - meter.start) / Double(Self.span), 0), 1)
        return (
            (Double(meter.messages) + weight * Double(meter.messagesBefore)) / seconds,
            (Double(meter.bytes) + weight * Double(meter.bytesBefore)) / seconds
        )
    }
}
