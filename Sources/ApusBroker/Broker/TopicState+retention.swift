import ApusProtocol

// What a topic lets go of.

extension TopicState {
    mutating func trim(now: Int64 = .min) {
        guard !(isDeleted && readers.isEmpty && reservations == 0) else { return log.removeAll() }
        var lowWaterMark = log.head
        // A subscription that does not throttle never makes publishers wait, not even through the bytes that the log
        // keeps for it.
        var retainFrom = Offset.max
        for index in readers.indices {
            lowWaterMark = min(lowWaterMark, readers[index].lowWaterMark)
            retainFrom = min(retainFrom, readers[index].retainFrom)
        }
        if reservations > 0 { lowWaterMark = 1 }
        log.trim(
            needed: lowWaterMark,
            retainFrom: retainFrom,
            archived: archive?.range ?? 0..<0,
            tail: readers.isEmpty && reservations == 0 ? limits.unreadTailBytes : .max,
            now: now
        )
        log.dropEncodings(before: lowWaterMark)
        log.reopen(readTo: lowWaterMark)
    }

    /// Drops what has become too old: history, expired publications and message ids.
    ///
    /// - Parameter now: in milliseconds on the steady clock.
    /// - Returns: `false` when nothing in this topic depends on time.
    mutating func age(to now: Int64) -> Bool {
        guard settings.historyAge != nil || log.hasLifetimes || dedupe != nil else { return false }
        dedupe?.forget(before: now)
        if log.hasLifetimes { log.expire(now: now) }
        if settings.historyAge != nil { log.seal() }
        trim(now: now)
        return true
    }

    /// Releases capacity that the dedupe window and the key table no longer need.
    mutating func releaseMemory() {
        dedupe?.releaseRoom()
        log.releaseRoom()
    }
}
