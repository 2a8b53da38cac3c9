import BitCollections
import NIOCore

// Batches that were sealed elsewhere: of a commit, or read from a disk.

extension TopicLog {
    /// Takes out all batches; the head stays. Keys that were superseded within one batch are noted in it.
    mutating func takeAll() -> [Batch] {
        seal()
        defer { removeAll() }
        return Array(sealed)
    }

    /// Appends a batch that begins at ``head``.
    mutating func adopt(_ batch: Batch) {
        if batch.details == nil, batch.size < Self.batchBytes / 8, joinOpen(batch) { return }
        seal()
        head = batch.end
        if let details = batch.details {
            if details.expire {
                hasLifetimes = true
                nextExpiry = min(nextExpiry, details.lastExpiry)
            }
            if details.haveKeys { noteKeys(of: batch, details) }
        }
        sealedBytes += batch.size
        sealed.append(batch)
    }

    /// Joins a small batch to the open one, as if its publications had been appended.
    private mutating func joinOpen(_ batch: Batch) -> Bool {
        guard isOpen, openDetails.isEmpty, open.lead == batch.lead,
            open.bytes.readableBytes + batch.size <= Self.batchBytes
        else { return false }
        open.append(batch)
        head = batch.end
        return true
    }

    /// Notes the newest publication of each key, and that it supersedes an older one.
    private mutating func noteKeys(of batch: Batch, _ details: BatchDetails) {
        for (index, detail) in details.all.enumerated() {
            guard let key = detail.key else { continue }
            guard let older = newestOfKey.updateValue(batch.first + UInt64(index), forKey: KeyText(key)) else {
                continue
            }
            if older >= batch.first {
                details.supersede(Int(older - batch.first))
            } else if let other = self.batch(at: older) {
                other.details?.supersede(Int(older - other.first))
            }
        }
    }
}

extension TopicLog.OpenBatch {
    /// Appends the publications of a batch.
    fileprivate mutating func append(_ batch: Batch) {
        let start = UInt32(bytes.readableBytes)
        marks.append(Batch.Mark(end: start, origin: lastOrigin))
        let added = batch.opened
        marks += added.marks.map { Batch.Mark(end: start + $0.end, origin: $0.origin) }
        lastOrigin = added.lastOrigin
        newestTime = max(newestTime, added.newestTime)
        bytes.writeImmutableBuffer(added.bytes)
    }
}

extension Batch {
    /// The same publications in fewer batches, where small ones lie side by side that have no keys or the like.
    ///
    /// - Parameter batches: of one topic, without gaps between them.
    package static func joined(_ batches: [Batch]) -> [Batch] {
        var (joined, rest): ([Batch], ArraySlice<Batch>) = ([], batches[...])
        while let first = rest.popFirst() {
            guard first.details == nil, !first.isSpent else {
                joined.append(first)
                continue
            }
            var (open, isOne) = (first.opened, true)
            while let next = rest.first, next.details == nil, !next.isSpent, next.lead == open.lead,
                open.bytes.readableBytes + next.size <= TopicLog.batchBytes
            {
                open.append(next)
                isOne = false
                rest.removeFirst()
            }
            joined.append(isOne ? first : Batch(first: first.first, open: open, details: nil, template: first.template))
        }
        return joined
    }
}
