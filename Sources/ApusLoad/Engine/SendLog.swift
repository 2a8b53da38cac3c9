/// When a publisher's unanswered messages were sent: a ring of times, oldest first.
///
/// Messages sent together are one entry. The ring holds the messages in flight: a window in the closed loop, and as
/// much as the server is behind in the open loop.
struct SendLog {
    private struct Entry {
        var time: UInt64
        var count: UInt64
    }

    private var entries: [Entry] = []
    private var head = 0
    private var used = 0

    mutating func add(_ time: UInt64) {
        if used > 0 {
            let last = (head + used - 1) & (entries.count - 1)
            if entries[last].time == time {
                entries[last].count += 1
                return
            }
        }
        if used == entries.count { grow() }
        entries[(head + used) & (entries.count - 1)] = Entry(time: time, count: 1)
        used += 1
    }

    /// Removes up to `limit` messages that were sent at one time; `nil` when none is unanswered.
    mutating func take(_ limit: UInt64) -> (time: UInt64, count: UInt64)? {
        guard used > 0 else { return nil }
        let entry = entries[head]
        if entry.count > limit {
            entries[head].count -= limit
            return (entry.time, limit)
        }
        head = (head + 1) & (entries.count - 1)
        used -= 1
        return (entry.time, entry.count)
    }

    private mutating func grow() {
        var larger: [Entry] = []
        larger.reserveCapacity(max(8, entries.count * 2))
        for place in 0..<used { larger.append(entries[(head + place) & (entries.count - 1)]) }
        // A power of two, so that a mask gives the index.
        while larger.count < max(8, entries.count * 2) { larger.append(Entry(time: 0, count: 0)) }
        entries = larger
        head = 0
    }
}
