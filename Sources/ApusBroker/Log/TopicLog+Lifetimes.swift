import DequeModule

// Publications whose time is up: their memory goes, and only their places stay for as long as history wants these.

extension TopicLog {
    /// Lets go of what has expired: batches of which all publications have, and the better part of others.
    ///
    /// It leaves batches without contents, so that offsets stay without holes: a cursor passes them by, and a resume
    /// from before them has missed nothing. A batch is looked at when the last of its publications expires that ever
    /// does.
    ///
    /// - Parameter now: on the steady clock.
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

    /// What takes a batch's place: it itself, but when it has come to its last expiry since the last look.
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

    /// Makes one of those without contents that follow each other.
    private static func close(_ spent: inout [Batch], into kept: inout Deque<Batch>) {
        guard let oldest = spent.first, let newest = spent.last else { return }
        kept.append(spent.count == 1 ? oldest : Batch(spent: oldest.first..<newest.end, newest: newest))
        spent.removeAll(keepingCapacity: true)
    }

    /// Gives back what was reserved for more keys than there are now.
    mutating func releaseRoom() {
        newestOfKey.releaseRoom()
    }
}
