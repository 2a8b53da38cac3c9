/// Decides by the memory in use whether the server is near its limit, and whether it takes new work.
///
/// ```
///            nearMark (90 %)          limit
/// free ─────────────┼── near ───────────┼── full
///      nobody is cut│ laggards are cut  │ and new work is refused, until use is below the resumeMark (95 %)
/// ```
struct MemoryBudget {
    enum Level: Sendable, Equatable {
        case free, near, full
    }

    let limit: Int
    private(set) var level = Level.free

    var nearMark: Int { limit / 100 * 90 }
    private var resumeMark: Int { limit / 100 * 95 }

    init(limit: Int) {
        self.limit = limit
    }

    /// Takes a new reading of the memory in use, in bytes.
    ///
    /// - Returns: how many bytes of laggards must go.
    mutating func update(used: Int) -> Int {
        if used >= limit || level == .full && used >= resumeMark {
            level = .full
        } else {
            level = used >= nearMark ? .near : .free
        }
        return max(used - nearMark, 0)
    }
}
