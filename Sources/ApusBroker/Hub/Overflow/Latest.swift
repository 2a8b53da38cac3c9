/// Keeps the newest pending message of each key. Beyond the bound, skips the oldest.
///
/// Messages that a later one of the same key supersedes take no place in the queue, so they have to be counted in the
/// log: once the distance to the head is beyond the bound, and then only now and then.
struct Latest: Equatable {
    var queue: UInt64
    /// Below this head there is no need to count.
    private(set) var nextCount: Offset = 0

    init(queue: UInt64) {
        self.queue = queue
    }

    func excess(of backlog: Overflow.Backlog) -> Overflow.Action? {
        backlog.lag > queue && backlog.head >= nextCount ? .countLive(bound: Int(queue)) : nil
    }

    mutating func counted(_ live: LiveSpan, head: Offset) -> Overflow.Action? {
        let bound = Int(queue)
        // Each message adds at most one. Counting takes long when many messages are superseded, so it then happens less
        // often. Meanwhile the lag may exceed the bound by as many messages.
        nextCount = head + UInt64(max(bound - live.count, live.batches / 64, 0)) + 1
        return live.count > bound ? .skipSuperseded(to: live.next, dropped: UInt64(live.passed)) : nil
    }
}
