import DequeModule

/// When a publisher's messages were sent that have yet to be answered, oldest first.
///
/// Messages that were sent together are one entry. It holds what is in flight: in the closed loop a window, in the open
/// loop as much as the server is behind.
struct SendLog {
    private struct Entry {
        var time: UInt64
        var count: UInt64
    }

    private var entries: Deque<Entry> = []

    mutating func add(_ time: UInt64) {
        if let last = entries.indices.last, entries[last].time == time {
            entries[last].count += 1
        } else {
            entries.append(Entry(time: time, count: 1))
        }
    }

    /// Takes up to `limit` messages off that were sent at one time; `nil` when none is in flight.
    mutating func take(_ limit: UInt64) -> (time: UInt64, count: UInt64)? {
        guard let oldest = entries.first else { return nil }
        guard oldest.count <= limit else {
            entries[entries.startIndex].count -= limit
            return (oldest.time, limit)
        }
        entries.removeFirst()
        return (oldest.time, oldest.count)
    }
}
