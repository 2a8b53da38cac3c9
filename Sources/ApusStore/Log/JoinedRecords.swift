/// The records of a ``RecordPlace``, one after the other, and what is damaged between them.
struct JoinedRecords {
    enum Element: Hashable {
        case record(RecordHead, Range<Int>)
        /// Publications that were in what begins at this place.
        case lost(ClosedRange<UInt64>, place: Int)
    }

    private let bytes: UnsafeRawBufferPointer
    private let topic: UInt32
    /// The offset after the last one there has to be.
    private let end: UInt64
    private var offset: UInt64
    private var place = 0

    init(_ bytes: UnsafeRawBufferPointer, of topic: UInt32, in joined: RecordPlace) {
        self.bytes = bytes
        self.topic = topic
        (offset, end) = (joined.first, joined.end)
    }

    mutating func next() -> Element? {
        guard offset < end else { return nil }
        if let (head, range) = record(at: place), head.batch.first == offset {
            (offset, place) = (head.batch.end, RecordHead.padded(range.upperBound))
            return .record(head, range)
        }
        let (lost, start) = (offset, place)
        (offset, place) = (end, bytes.count)
        // A record begins at a multiple of the alignment, wherever the damage ends.
        for candidate in stride(from: start + RecordHead.alignment, to: bytes.count, by: RecordHead.alignment) {
            guard let (head, _) = record(at: candidate), head.batch.first > lost else { continue }
            (offset, place) = (head.batch.first, candidate)
            break
        }
        return .lost(lost...offset - 1, place: start)
    }

    private func record(at place: Int) -> (RecordHead, Range<Int>)? {
        guard bytes.count - place >= RecordHead.size else { return nil }
        let rest = UnsafeRawBufferPointer(rebasing: bytes[place...])
        guard let head = RecordHead(rest), head.batch.topic == topic, head.batch.end <= end,
            head.unpaddedSize <= rest.count,
            RecordHead.isIntact(UnsafeRawBufferPointer(rebasing: rest[..<head.unpaddedSize]))
        else { return nil }
        return (head, place..<place + head.unpaddedSize)
    }
}
