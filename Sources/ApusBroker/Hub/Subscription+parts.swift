import DequeModule

// What a subscription consists of.

extension Subscription {
    /// What others see of it.
    struct Identity {
        let clientID: String
        /// Unique in this process.
        let id: UInt64
        /// Whether others are told when it begins and ends.
        let isAnnounced: Bool
        /// When it began, in milliseconds since 1970.
        let since: Int64
    }

    /// The total numbers of messages, and of milliseconds.
    struct Counts {
        var delivered: UInt64 = 0
        var dropped: UInt64 = 0
        /// How long publishers have waited for it.
        var throttledTime: Int64 = 0
    }
}

/// What does not count as a subscription's lag, and how it has kept up since it was last at the head.
struct LagState {
    private enum Pace {
        case keepsUp, lags, wasWarned
    }

    /// The end of the replay that the subscriber asked for. Messages before it do not count as lag.
    var replayEnd: Offset
    /// What it was offered at once and its socket did not accept.
    var burst: Burst?
    private var pace = Pace.keepsUp

    init(replayEnd: Offset) {
        self.replayEnd = replayEnd
    }

    /// Messages before this offset do not count as lag: they belong to a replay or to a burst.
    var start: Offset { max(replayEnd, burst?.end ?? 0) }

    /// Whether its subscriber has accepted less than there was.
    var isLagging: Bool { pace != .keepsUp }
    /// Whether its subscriber was warned.
    var isWarned: Bool { pace == .wasWarned }

    /// Its subscriber accepts no more.
    mutating func fallsBehind() {
        if pace == .keepsUp { pace = .lags }
    }

    mutating func noteWarning() {
        pace = .wasWarned
    }

    /// It has reached the head.
    @inline(__always)
    mutating func catchesUp() {
        pace = .keepsUp
    }
}

/// More than a socket accepts at once: a batch, or what was published while its loop was late.
struct Burst {
    /// Messages before this offset do not count as lag. 0 once the burst counts as lag.
    var end: Offset
    /// How much its subscriber had received at the last check; `nil` before the first check.
    var delivered: UInt64?
}

/// The messages that a subscription missed since the last announcement: their number, and their range.
struct Gap {
    private(set) var count: UInt64 = 0
    private(set) var range: Range<Offset> = 0..<0

    @inline(__always)
    var isEmpty: Bool { count == 0 }

    mutating func add(_ added: UInt64, in addedRange: Range<Offset>) {
        range = (isEmpty ? addedRange.lowerBound : range.lowerBound)..<addedRange.upperBound
        count += added
    }

    /// It is announced now.
    mutating func close() {
        count = 0
    }

    /// A replay that starts at `cursor` brings at least `replayed` of its messages back.
    mutating func shrink(by replayed: UInt64, to cursor: Offset) {
        range = range.clamped(to: 0..<max(cursor, range.lowerBound))
        count = min(count - min(count, replayed), UInt64(range.count))
    }
}

/// What must happen before a subscription's first event.
struct StartConditions {
    /// The subscriber's subscriptions to deleted topics of the same name. They must finish first.
    var predecessors: Succession? {
        didSet { isMet = predecessors == nil && opening == nil }
    }
    /// What the subscriber must be told first.
    var opening: Opening? {
        didSet { isMet = predecessors == nil && opening == nil }
    }
    /// Whether it may start.
    private(set) var isMet = true
}

/// The presence news that a subscription gets.
struct PresenceWatch {
    /// It receives news with a higher sequence than this.
    var since: UInt64 = 0
    /// News not told yet because its subscriber accepted no data.
    var pending: PendingPresence?
}

/// Presence news that waits until a subscriber accepts data. Beyond ``limit`` the oldest are dropped.
struct PendingPresence {
    static let limit = 100

    private(set) var news = Deque<Presence>()
    private(set) var dropped: UInt64 = 0

    mutating func add(_ presence: Presence) {
        news.append(presence)
        if news.count > Self.limit {
            news.removeFirst()
            dropped += 1
        }
    }
}
