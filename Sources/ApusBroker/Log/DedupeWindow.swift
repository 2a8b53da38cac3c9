import DequeModule

/// The message ids that were published lately, so that a repeat is recognized.
///
/// Bounded by time and by count: beyond ``limit`` the oldest id is forgotten, as if its time were up.
struct DedupeWindow {
    private let limit: Int
    /// In milliseconds.
    var window: Int64
    private var offsets: [ExactText: Offset] = [:]
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
        while order.count > limit { forgetOldest() }
    }

    private mutating func forget(before now: Int64) {
        while let oldest = order.first, now - oldest.time > window { forgetOldest() }
    }

    private mutating func forgetOldest() {
        guard let oldest = order.popFirst() else { return }
        offsets[oldest.id] = nil
    }
}
