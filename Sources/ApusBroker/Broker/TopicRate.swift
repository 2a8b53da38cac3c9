import ApusProtocol

/// How many messages may be published to a topic.
struct TopicRate {
    /// What applies to topics without a rate of their own.
    private(set) var standard: RateLimit?
    /// What applies to this topic; `nil` if nothing is limited.
    private(set) var limit: RateLimit?
    private var bucket = TokenBucket()

    init(standard: RateLimit?) {
        self.standard = standard
    }

    /// Changes the limit. What was published before still counts, if it was limited.
    mutating func change(to limit: RateLimit?, standard: RateLimit?) {
        self.standard = standard
        if self.limit == nil { bucket = TokenBucket() }
        self.limit = limit
    }

    /// How long `count` messages have to wait, in milliseconds; `nil` if they may come now.
    mutating func wait(for count: Int, now: Int64) -> Int64? {
        guard let limit else { return nil }
        let wait = bucket.wait(for: count, limit, now: now)
        return wait > 0 ? wait : nil
    }

    mutating func spend(_ count: Int, now: Int64) {
        if let limit { bucket.take(count, limit, now: now) }
    }
}
