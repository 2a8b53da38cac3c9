@testable import ApusStore

extension SegmentWriter {
    /// Appends batches whose contents are arrays of bytes.
    mutating func append(
        _ entries: [(batch: RecordHead.Batch, contents: [UInt8])],
        isKept: Bool
    ) throws(DiskError) -> [RecordPlace] {
        let copies = entries.map { entry in
            let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: entry.contents.count, alignment: 8)
            copy.copyBytes(from: entry.contents)
            return UnsafeRawBufferPointer(copy)
        }
        defer { for copy in copies { copy.deallocate() } }
        return try append(zip(entries, copies).map { Entry($0.batch, [$1]) }, isKept: isKept)
    }
}
