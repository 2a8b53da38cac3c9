extension SegmentScan.Found {
    /// Reads the record's contents: details, marks and frames, one after the other.
    ///
    /// - Returns: `nil` if the bytes are not those that were written.
    /// - Throws: ``DiskError``
    package func contents(in file: any DiskFile) throws(DiskError) -> [UInt8]? {
        var record = [UInt8](repeating: 0, count: head.unpaddedSize)
        var count = 0
        var failure: DiskError?
        record.withUnsafeMutableBytes { room in
            do throws(DiskError) { count = try file.read(into: room, at: place) } catch { failure = error }
        }
        if let failure { throw failure }
        let isIntact = record.withUnsafeBytes { bytes in
            count == bytes.count && RecordHead(bytes) == head && RecordHead.isIntact(bytes)
        }
        return isIntact ? Array(record[RecordHead.size...]) : nil
    }
}
