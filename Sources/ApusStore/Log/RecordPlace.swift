/// A record of a topic, or several that follow each other in a segment: the publications, and where they are. 32 bytes,
/// as there are many of them.
package struct RecordPlace: Hashable, Sendable {
    package let first: UInt64
    /// The newest stamp in it, in milliseconds since 1970.
    package let newestTime: Int64
    package let count: UInt32
    private let shortSegment: UInt32
    private let shortPlace: UInt32
    private let shortSize: UInt32

    /// The segment that it is in.
    package var segment: UInt64 { UInt64(shortSegment) }
    /// Where it begins in the file.
    package var place: Int { Int(shortPlace) * RecordHead.alignment }
    /// ``RecordHead/unpaddedSize``; of several, all but what pads the last one.
    package var size: Int { Int(shortSize) }
    /// How much of the file it takes.
    package var sizeOnDisk: Int { RecordHead.padded(size) }
    /// The offset after its last one.
    package var end: UInt64 { first + UInt64(count) }

    init(first: UInt64, count: UInt32, newestTime: Int64, segment: UInt64, place: Int, size: Int) {
        self.first = first
        self.count = count
        self.newestTime = newestTime
        shortSegment = UInt32(truncatingIfNeeded: segment)
        shortPlace = UInt32(truncatingIfNeeded: place / RecordHead.alignment)
        shortSize = UInt32(truncatingIfNeeded: size)
    }

    /// This and the topic's next record as one; `nil` if there is something between them.
    ///
    /// - Parameter most: the most bytes that it may have.
    func joined(with next: RecordPlace, most: Int) -> RecordPlace? {
        let (sum, isOver) = count.addingReportingOverflow(next.count)
        let size = next.place + next.size - place
        guard next.segment == segment, next.place == place + sizeOnDisk, next.first == end, !isOver, size <= most
        else { return nil }
        return RecordPlace(
            first: first,
            count: sum,
            newestTime: max(newestTime, next.newestTime),
            segment: segment,
            place: place,
            size: size
        )
    }

    /// Whether another one is all of this or a part of it.
    func contains(_ other: RecordPlace) -> Bool {
        other.segment == segment && other.place >= place && other.place < place + size
            && first <= other.first && other.end <= end
    }

    package init(_ head: RecordHead, segment: UInt64, place: Int) {
        self.init(
            first: head.batch.first,
            count: head.batch.count,
            newestTime: head.batch.newestTime,
            segment: segment,
            place: place,
            size: head.unpaddedSize
        )
    }
}
