import ApusProtocol
import DequeModule

/// The message ids of a topic that were published within its dedupe window, on whichever node.
struct RecentIDs: Sendable {
    /// In milliseconds; `nil` if the topic takes duplicates.
    var window: Int64?
    private var offsets = ExactTable<UInt64>()
    private var order = Deque<(id: String, time: Int64)>()

    /// Where a message with that id was published, if that is in the window.
    mutating func offset(of id: String, now: Int64) -> UInt64? {
        forget(before: now)
        return window == nil ? nil : offsets[id]
    }

    /// Forgets the ids that have left the window.
    private mutating func forget(before now: Int64) {
        guard let window else { return }
        while let oldest = order.first, now - oldest.time > window { forgetOldest() }
    }

    mutating func insert(_ id: String, at offset: UInt64, time: Int64, limit: Int) {
        forget(before: time)
        guard window != nil, offsets.updateValue(offset, forKey: id) == nil else { return }
        order.append((id, time))
        while order.count > limit { forgetOldest() }
    }

    mutating func removeAll() { (offsets, order) = (ExactTable(), []) }

    private mutating func forgetOldest() {
        if let oldest = order.popFirst() { offsets[oldest.id] = nil }
    }
}
