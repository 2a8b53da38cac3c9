import DequeModule

/// The message ids that were published lately, so that a repeat is recognized.
///
/// Bounded by time, by count and by ``bytesPerID`` for each: beyond any of these the oldest id is forgotten, as if its
/// time were up.
struct DedupeWindow {
    /// What an id may take on average; a UUID takes 36.
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

    /// Where a message of that id was published, if that was lately.
    mutating func offset(of id: ExactText, now: Int64) -> Offset? {
        forget(before: now)
        return offsets[id]
    }

    mutating func insert(_ id: ExactText, at offset: Offset, now: Int64) {
        offsets[id] = offset
        order.append((id, now))
        bytes += id.text.utf8.count
        while order.count > limit || bytes > limit * Self.bytesPerID { forgetOldest() }
    }

    /// Forgets the ids whose time is up.
    mutating func forget(before now: Int64) {
        while let oldest = order.first, now - oldest.time > window { forgetOldest() }
    }

    /// Gives back what was reserved for more ids than there are now.
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
