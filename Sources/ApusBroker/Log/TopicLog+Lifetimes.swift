import ApusProtocol
import DequeModule

// Publications whose time is up: their memory goes, and only their places stay for as long as history wants these.

extension TopicLog {
    /// Lets go of batches of which all publications have expired.
    ///
    /// They leave one without contents, so that offsets stay without holes: a cursor passes it by, and a resume from before it
    /// has missed nothing.
    ///
    /// - Parameter now: on the steady clock.
    mutating func expire(now: Int64) {
        if isOpen, openDetails.count == openCount, openDetails.allSatisfy({ $0.expires <= now }) { seal() }
        guard now >= nextExpiry else { return }
        var kept = Deque<Batch>()
        var spent: [Batch] = []
        nextExpiry = .max
        for batch in sealed {
            if let details = batch.details, batch.isSpent || details.expiresBy <= now {
                if details.haveKeys { forgetKeys(of: batch, details) }
                sealedBytes -= batch.size
                spent.append(batch)
                continue
            }
            Self.close(&spent, into: &kept)
            kept.append(batch)
            nextExpiry = min(nextExpiry, batch.details?.expiresBy ?? .max)
        }
        Self.close(&spent, into: &kept)
        sealed = kept
    }

    /// Gives back what was reserved for more keys than there are now.
    mutating func releaseRoom() {
        newestOfKey.releaseRoom()
    }

    private static func close(_ spent: inout [Batch], into kept: inout Deque<Batch>) {
        guard let first = spent.first else { return }
        kept.append(spent.count == 1 && first.isSpent ? first : Batch(spent: spent[...]))
        spent.removeAll(keepingCapacity: true)
    }
}
