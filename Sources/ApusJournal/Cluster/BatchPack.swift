import ApusBroker
import ApusCluster
import ApusProtocol
import NIOCore

/// What was published to a topic together, as it is in a stream.
///
/// ```
/// body      for each batch:  count · newest time · sizes of details, marks and frames · details · marks · frames
///           count, sizes: 4 bytes    newest time: milliseconds since 1970, 8 bytes    all little-endian
/// ```
/// The parts are those of ``BatchRecord``, and as small batches stay small, a body is about as large as what was
/// published.
struct BatchPack: PackContents {
    private(set) var records: [BatchRecord]
    /// By index in the pack.
    private(set) var ids: [(index: Int, id: String)]

    private static let headSize = 4 + 8 + 3 * 4

    /// - Parameter ids: those that the topic has to recognize.
    init(_ batches: [Batch], ids: [(offset: Offset, id: String)]) {
        records = batches.map { BatchRecord($0, ids: ids) }
        let first = batches.first?.first ?? 0
        self.ids = ids.map { (Int($0.offset - first), $0.id) }
    }

    var count: Int { records.reduce(0) { $0 + $1.count } }
    var time: Int64 { records.map(\.newestTime).max() ?? 0 }

    var bytes: Int {
        records.reduce(0) { bytes, record in
            bytes + Self.headSize + record.details.readableBytes + record.marks.readableBytes
                + record.frames.readableBytes
        }
    }

    var body: ByteBuffer {
        var body = ByteBufferAllocator().buffer(capacity: bytes)
        for record in records {
            body.writeInteger(UInt32(record.count), endianness: .little)
            body.writeInteger(record.newestTime, endianness: .little)
            for part in [record.details, record.marks, record.frames] {
                body.writeInteger(UInt32(part.readableBytes), endianness: .little)
            }
            for part in [record.details, record.marks, record.frames] { body.writeImmutableBuffer(part) }
        }
        return body
    }

    init?(body: ByteBuffer, count: Int, time: Int64) {
        var body = body
        records = []
        ids = []
        var all = 0
        while let messages = body.readInteger(endianness: .little, as: UInt32.self) {
            guard let newestTime = body.readInteger(endianness: .little, as: Int64.self),
                let sizes = body.readMultipleIntegers(endianness: .little, as: (UInt32, UInt32, UInt32).self),
                let details = body.readSlice(length: Int(sizes.0)), let marks = body.readSlice(length: Int(sizes.1)),
                let frames = body.readSlice(length: Int(sizes.2)), messages > 0, frames.readableBytes > 0,
                PackHeader.times.contains(newestTime)
            else { return nil }
            let record = BatchRecord(
                first: 1 + UInt64(all),
                count: Int(messages),
                newestTime: newestTime,
                details: details,
                marks: marks,
                frames: frames
            )
            guard let found = record.ids else { return nil }
            ids += found.map { (all + Int($0.offset - record.first), $0.id) }
            records.append(record)
            all += Int(messages)
        }
        guard all == count, body.readableBytes == 0 else { return nil }
    }

    mutating func append(_ other: Self) {
        let count = self.count
        ids += other.ids.map { (count + $0.index, $0.id) }
        records += other.records
    }

    mutating func remove(_ indices: [Int]) {
        guard !indices.isEmpty else { return }
        let gone = Set(indices)
        var (start, kept, remaining): (Int, Int, [BatchRecord]) = (0, 0, [])
        var places: [Int: Int] = [:]
        for record in records {
            let own = start..<(start + record.count)
            for index in own where !gone.contains(index) {
                places[index] = kept
                kept += 1
            }
            if let rest = record.without(Set(gone.filter(own.contains).map { $0 - start })) { remaining.append(rest) }
            start = own.upperBound
        }
        records = remaining
        ids = ids.compactMap { id in places[id.index].map { ($0, id.id) } }
    }

    /// The batches again, at their place in the topic.
    ///
    /// - Returns: `nil` if these bytes cannot be batches of the topic.
    func batches(
        _ template: EventTemplate,
        from first: Offset,
        lead: Int64
    ) -> ([Batch], ids: [(offset: Offset, id: String)])? {
        var (batches, found): ([Batch], [(offset: Offset, id: String)]) = ([], [])
        for record in records {
            let next = batches.last?.end ?? first
            guard let (batch, ids) = record.moved(to: next).batch(template: template, lead: lead), batch.isSound
            else { return nil }
            batches.append(batch)
            found += ids
        }
        return (batches, found)
    }
}
