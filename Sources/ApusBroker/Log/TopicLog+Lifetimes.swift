import DequeModule

// Expired publications: the log frees their memory, and keeps only their offsets for as long as history lasts.

extension TopicLog {
    /// Frees the memory of batches whose publications have all expired, and of the larger part of other batches.
    ///
    /// Empty batches remain, so that offsets have no gaps: a cursor passes over them, and a resume from before them has
    /// missed nothing. The log examines a batch when the last of its expiring publications expires.
    ///
    /// - Parameter now: in milliseconds on the steady clock.
    mutating func expire(now: Int64) {
        if isOpen, openDetails.count == openCount, openDetails.allSatisfy({ $0.expires <= now }) { seal() }
        guard now >= nextExpiry else { return }
        var kept = Deque<Batch>()
        var spent: [Batch] = []
        nextExpiry = .max
        for batch in sealed {
            for part in remains(of: batch, now: now) {
                if part.isSpent {
                    spent.append(part)
                } else {
                    Self.close(&spent, into: &kept)
                    kept.append(part)
                }
            }
        }
        Self.close(&spent, into: &kept)
        sealed = kept
        sealedBytes = kept.reduce(0) { $0 + $1.size }
        lastLook = (now, kept.last?.end ?? 0)
    }

    /// The replacement for a batch: the batch itself unless it has reached its last expiry since the last look.
    private mutating func remains(of batch: Batch, now: Int64) -> [Batch] {
        guard let details = batch.details, details.expire else { return [batch] }
        guard details.lastExpiry <= now else {
            nextExpiry = min(nextExpiry, details.lastExpiry)
            return [batch]
        }
        let isNews = details.lastExpiry > lastLook.now || batch.first >= lastLook.end
        guard isNews, let remains = batch.remains(now: now) else { return [batch] }
        if details.haveKeys { forgetKeys(of: batch, details, expiredBy: now) }
        return remains
    }

    /// Merges adjacent empty batches into one.
    private static func close(_ spent: inout [Batch], into kept: inout Deque<Batch>) {
        guard let oldest = spent.first, let newest = spent.last else { return }
        kept.append(spent.count == 1 ? oldest : Batch(spent: oldest.first..<newest.end, newest: newest))
        spent.removeAll(keepingCapacity: true)
    }

    /// The number of publications that have not expired. Requires that the open batch is sealed.
    ///
    /// - Parameter now: in milliseconds on the steady clock.
    func livingCount(now: Int64) -> Int {
        guard hasLifetimes else { return Int(clamping: head - firstKept) }
        return sealed.reduce(0) { total, batch in
            guard !batch.isSpent else { return total }
            guard batch.details?.expire == true else { return total + batch.count }
            return total + (batch.first..<batch.end).count { !batch.isExpired(at: $0, now: now) }
        }
    }

    /// Releases capacity for more keys than there are now.
    mutating func releaseRoom() {
        newestOfKey.releaseRoom()
    }
}
