import ApusProtocol
import DequeModule

/// The message ids that were published recently. A topic uses them to recognize duplicates.
///
/// The window is bounded by time, by count, and by ``bytesPerID`` times the count. Beyond any of these bounds it
/// forgets the oldest id, as if that id had left the window.
struct DedupeWindow {
    /// The bytes allowed for an id on average; a UUID takes 36.
    private static let bytesPerID = 64

    private let limit: Int
    /// In milliseconds.
    var window: Int64
    private var offsets: [ExactText: Offset] = [:]
    private var bytes = 0
    private var order = Deque<(id: ExactText, time: Int64)>()

    init(window: Int64, limit: Int) {
        self.window = window
        self.limit = limit
    }

    /// The offset of the message with that id, if it is in the window.
    mutating func offset(of id: ExactText, now: Int64) -> Offset? {
        forget(before: now)
        return offsets[id]
    }

    mutating func insert(_ id: ExactText, at offset: Offset, now: Int64) {
        forget(before: now)
        // One that came out of its time has left the window with the next look.
        guard offsets.updateValue(offset, forKey: id) == nil else { return }
        order.append((id, now))
        bytes += id.text.utf8.count
        while order.count > limit || bytes > limit * Self.bytesPerID { forgetOldest() }
    }

    /// Forgets the ids that have left the window.
    mutating func forget(before now: Int64) {
        while let oldest = order.first, now - oldest.time > window { forgetOldest() }
    }

    /// The offset of the oldest id.
    var oldest: Offset? { order.first.flatMap { offsets[$0.id] } }

    /// The ids and where they were published, oldest first.
    var identified: [(offset: Offset, id: String)] {
        order.compactMap { entry in offsets[entry.id].map { ($0, entry.id.text) } }
    }

    /// Forgets the ids of messages that are not published yet: those at `first` and after it.
    ///
    /// - Returns: when they came.
    @discardableResult
    mutating func forget(from first: Offset) -> [ExactText: Int64] {
        var forgotten: [ExactText: Int64] = [:]
        while let newest = order.last, let offset = offsets[newest.id], offset >= first {
            order.removeLast()
            offsets[newest.id] = nil
            bytes -= newest.id.text.utf8.count
            forgotten[newest.id] = newest.time
        }
        return forgotten
    }

    /// Releases capacity for more ids than there are now.
    mutating func releaseRoom() {
        let before = offsets.capacity
        offsets.releaseRoom()
        if offsets.capacity < before { order = Deque(order.map(\.self)) }
    }

    private mutating func forgetOldest() {
        guard let oldest = order.popFirst() else { return }
        offsets[oldest.id] = nil
        bytes -= oldest.id.text.utf8.count
    }
}
