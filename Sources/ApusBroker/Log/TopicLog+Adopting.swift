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
        let start = UInt32(open.bytes.readableBytes)
        open.marks.append(Batch.Mark(end: start, origin: open.lastOrigin))
        let added = batch.opened
        open.marks += added.marks.map { Batch.Mark(end: start + $0.end, origin: $0.origin) }
        open.lastOrigin = added.lastOrigin
        open.newestTime = max(open.newestTime, added.newestTime)
        open.bytes.writeImmutableBuffer(added.bytes)
        head = batch.end
        return true
    }

    /// Notes the newest publication of each key, and that it supersedes an older one.
    private mutating func noteKeys(of batch: Batch, _ details: BatchDetails) {
        for (index, detail) in details.all.enumerated() {
            guard let key = detail.key else { continue }
            guard let older = newestOfKey.updateValue(batch.first + UInt64(index), forKey: key) else { continue }
            if older >= batch.first {
                details.supersede(Int(older - batch.first))
            } else if let other = self.batch(at: older) {
                other.details?.supersede(Int(older - other.first))
            }
        }
    }
}
