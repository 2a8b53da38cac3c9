/// A token bucket: it fills at a rate up to a burst, and each action takes tokens out of it.
///
/// ```
///          rate ──►┌───────────┐
///                  │           │ ◄── burst: what the bucket holds
///                  │▒▒▒▒▒▒▒▒▒▒▒│ ◄── level
///                  └─────┬─────┘
///                        ▼ take
/// ```
/// A pure value without a timer: it fills when somebody looks. Time is a steady clock in milliseconds, and a clock that
/// goes back adds nothing. The limit is given each time, so a limit may change while buckets are in use.
///
/// An action that needs more tokens than the bucket holds passes when the bucket is full. The level is then below zero,
/// and all further actions wait until that is made up for: on average the rate holds, however large the actions are.
///
/// Levels are whole numbers of shares, so that nothing is lost by rounding. A token is as many shares as an hour has
/// milliseconds. So a rate of so many tokens per hour is the same number of shares per millisecond.
package struct TokenBucket: Sendable, Equatable {
    private static let sharesPerToken: Int64 = 3_600_000
    /// No debt is larger. The distance to the largest burst fits.
    private static let lowest: Int64 = -1 << 62

    /// In shares. Above what fits for a bucket that nobody has looked at.
    private var level: Int64 = .max
    /// When the level was true.
    private var time: Int64 = .min

    /// A full bucket.
    package init() {}

    /// How long until `count` tokens can be taken, in milliseconds; 0 means now.
    package mutating func wait(for count: Int, _ limit: RateLimit, now: Int64) -> Int64 {
        fill(limit, now: now)
        let missing = min(Self.shares(count), Self.shares(limit.burst)) - level
        guard missing > 0 else { return 0 }
        let perMillisecond = Int64(limit.rate.perHour)
        return missing / perMillisecond + (missing % perMillisecond > 0 ? 1 : 0)
    }

    /// Takes `count` tokens, whether or not they are there.
    package mutating func take(_ count: Int, _ limit: RateLimit, now: Int64) {
        fill(limit, now: now)
        level = max(level - Self.shares(count), Self.lowest)
    }

    /// Takes `count` tokens if they are there.
    ///
    /// - Returns: `nil`, or how long to wait, in milliseconds; at least 1. Nothing is taken then.
    package mutating func takeIfThere(_ count: Int, _ limit: RateLimit, now: Int64) -> Int64? {
        let wait = wait(for: count, limit, now: now)
        guard wait == 0 else { return wait }
        take(count, limit, now: now)
        return nil
    }

    /// Puts tokens back that were taken for something that was not done.
    package mutating func giveBack(_ count: Int) {
        let (sum, overflow) = level.addingReportingOverflow(Self.shares(count))
        level = overflow ? .max : sum
    }

    /// Whether nothing is missing, so that a new bucket would be the same.
    package mutating func isFull(_ limit: RateLimit, now: Int64) -> Bool {
        fill(limit, now: now)
        return level == Self.shares(limit.burst)
    }

    private mutating func fill(_ limit: RateLimit, now: Int64) {
        let full = Self.shares(limit.burst)
        guard level < full else {
            (level, time) = (full, max(time, now))
            return
        }
        guard now > time else { return }
        let (come, overflow) = Int64(limit.rate.perHour).multipliedReportingOverflow(by: now - time)
        level = overflow || come >= full - level ? full : level + come
        time = now
    }

    /// At most 2⁶²: a burst has at most ``Rate/most`` tokens.
    private static func shares(_ count: Int) -> Int64 {
        Int64(min(max(count, 0), Rate.most)) * sharesPerToken
    }
}
