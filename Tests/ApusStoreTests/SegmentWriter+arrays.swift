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

extension SegmentReader {
    /// What is in records that are joined, from an offset on.
    func contents(
        of joined: RecordPlace,
        of topic: UInt32,
        from offset: UInt64 = 0
    ) throws(LogFailure) -> [(offsets: Range<UInt64>, contents: [UInt8])] {
        var bytes = [UInt8](repeating: 0, count: joined.size)
        var result: Result<[(head: RecordHead, range: Range<Int>)], LogFailure> = .success([])
        bytes.withUnsafeMutableBytes { room in
            do throws(LogFailure) {
                result = .success(try read(joined, of: topic, from: offset, into: room))
            } catch {
                result = .failure(error)
            }
        }
        return try result.get().map { head, range in
            (head.batch.first..<head.batch.end, Array(bytes[range].dropFirst(RecordHead.size)))
        }
    }
}
