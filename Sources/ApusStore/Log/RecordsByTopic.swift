/// The records of segments, those of each topic one after the other, in the order in which they were written.
///
/// A counting sort: with millions of records, what takes time is to wait for memory, and this touches each record's
/// place once.
struct RecordsByTopic {
    private(set) var records: [RecordPlace] = []
    private(set) var ranges: [UInt32: Range<Int>] = [:]

    init(_ indexes: [SegmentIndex]) {
        var slots: [UInt32: Int] = [:]
        var (counts, slotsInOrder): ([Int], [Int32]) = ([], [])
        slotsInOrder.reserveCapacity(indexes.reduce(0) { $0 + $1.entries.count })
        for index in indexes {
            for entry in index.entries {
                let slot = slots[entry.topic] ?? counts.count
                if slot == counts.count {
                    slots[entry.topic] = slot
                    counts.append(0)
                }
                counts[slot] += 1
                slotsInOrder.append(Int32(slot))
            }
        }
        guard let any = indexes.first(where: { !$0.entries.isEmpty })?.entries.first else { return }
        var (next, sum) = ([Int](), 0)
        for count in counts {
            next.append(sum)
            sum += count
        }
        ranges = slots.mapValues { next[$0]..<next[$0] + counts[$0] }
        records = [RecordPlace](repeating: any.record, count: sum)
        var ordinal = 0
        for index in indexes {
            for entry in index.entries {
                let slot = Int(slotsInOrder[ordinal])
                records[next[slot]] = entry.record
                next[slot] += 1
                ordinal += 1
            }
        }
    }
}
