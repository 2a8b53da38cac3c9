import ApusProtocol
import BitCollections
import NIOCore

// Batches whose publications expire, and what remains of such a batch.

extension Batch {
    /// Whether all publications have expired.
    ///
    /// - Parameter now: in milliseconds on the steady clock.
    func isExpired(now: Int64) -> Bool { (details?.expiresBy ?? .max) <= now }

    /// Whether the publication at `offset` has expired.
    ///
    /// - Parameter now: in milliseconds on the steady clock.
    func isExpired(at offset: Offset, now: Int64) -> Bool {
        guard let details, !isSpent else { return isSpent }
        return details.all[Int(offset - first)].expires <= now
    }

    /// About how many bytes a batch takes besides its frames. A split that costs more than it frees is not worth it.
    private static let overhead = 512

    /// Splits the batch so that runs of expired publications lose their contents.
    ///
    /// - Returns: the batches that replace this one; `nil` when the split is not worth it.
    func remains(now: Int64) -> [Batch]? {
        guard !isExpired(now: now) else { return [Batch(spent: first..<end, newest: self)] }
        var runs: [(offsets: Range<Offset>, isExpired: Bool)] = []
        for offset in first..<end {
            let isExpired = isExpired(at: offset, now: now)
            if let last = runs.last, last.isExpired == isExpired {
                runs[runs.count - 1].offsets = last.offsets.lowerBound..<(offset + 1)
            } else {
                runs.append((offset..<(offset + 1), isExpired))
            }
        }
        let expired = runs.filter(\.isExpired).reduce(0) { $0 + bytes(of: $1.offsets) }
        guard expired >= max(size / 2, runs.count * Self.overhead) else { return nil }
        return runs.map { $0.isExpired ? Batch(spent: $0.offsets, newest: self) : part($0.offsets) }
    }

    private func bytes(of offsets: Range<Offset>) -> Int {
        bytes(from: offsets.lowerBound) - (offsets.upperBound < end ? bytes(from: offsets.upperBound) : 0)
    }

    /// Copies a part of the batch into memory of its own.
    func part(_ offsets: Range<Offset>) -> Batch {
        let indices = Int(offsets.lowerBound - first)..<Int(offsets.upperBound - first)
        let start = base.start(of: indices.lowerBound)
        var open = TopicLog.OpenBatch()
        open.bytes = ByteBuffer(buffer: slice(offsets, of: base))
        open.marks = indices.dropLast().map { index in
            Mark(end: UInt32(base.end(of: index) - start), origin: base.marks[index].origin)
        }
        open.lastOrigin = origin(at: offsets.upperBound - 1)
        open.newestTime = offsets.reduce(.min) { max($0, time(at: $1)) }
        open.lead = lead
        let details = details.flatMap { details -> BatchDetails? in
            let all = Array(details.all[indices])
            guard !all.allSatisfy(\.isNone) else { return nil }
            var superseded = BitSet()
            let before = details.supersededNow
            for index in indices where before.contains(index) { superseded.insert(index - indices.lowerBound) }
            return BatchDetails(all, superseded: superseded)
        }
        return Batch(first: offsets.lowerBound, open: open, details: details, template: template)
    }
}
