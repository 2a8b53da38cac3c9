import ApusStore

// Room on the disk: segments of which nothing is wanted go, and what little is wanted of others is moved.

extension JournalWriter {
    /// How many bytes are moved at once, so that commits do not wait for long.
    private static let maxMoved = 4 << 20
    /// How much room there is on the disk.
    struct Room {
        /// The most bytes of messages; 0 for as many as there is room for.
        var dataBytes: Int
        var segmentSize: Int

        /// Segments that are thin are left alone below this size of all: there is no need for room yet.
        var leastSize: Int { 4 * segmentSize }
    }

    /// Whether there is more to do, even if nothing is published.
    var hasUnwanted: Bool { !reader.table.withLock { $0.unwanted.isEmpty } || nextThin != nil }

    private var nextThin: UInt64? {
        reader.table.withLock { $0.size > room.leastSize ? $0.thin.min() : nil }
    }

    /// Ends the newest segment, so that what is not wanted of it can go, too, and moves what little is wanted of
    /// others.
    mutating func giveUpMore() throws(JournalError) {
        do throws(DiskError) { try segments.finish() } catch { throw problem(error) }
        reader.table.withLock { $0.seal() }
        let thin = reader.table.withLock { $0.thin.count }
        try giveUpSegments()
        for _ in 0..<thin {
            guard try thinOut(reader.table.withLock { $0.thin.min() }) else { break }
            try giveUpSegments()
        }
    }

    mutating func giveUpSegments() throws(JournalError) {
        try thinOut(nextThin)
        let unwanted = reader.table.withLock { table in
            table.unwanted.sorted().map { (segment: $0, emptied: table.emptied(by: $0)) }
        }
        guard !unwanted.isEmpty else { return }
        var changes: [Catalog.Change] = []
        for (segment, emptied) in unwanted {
            for (topic, end) in emptied { changes.append(.keep(topic: topic, from: end)) }
            changes.append(.giveUp(segment: segment))
        }
        // All is synced first: what is not wanted any more may be so because of what nobody has asked to flush. Then
        // the catalog: a segment that it does not give up has to be there.
        do throws(DiskError) { try segments.sync() } catch { throw problem(error) }
        try apply(changes)
        for (segment, _) in unwanted {
            reader.table.withLock { $0.remove(segment: segment) }
            reader.segments.forget(segment)
            // What cannot be removed now is removed at the next start.
            try? folder.segments.removeSegment(segment)
        }
    }

    /// Moves what is wanted of one thin segment to the end, or a part of it.
    ///
    /// - Returns: whether something was moved.
    @discardableResult
    private mutating func thinOut(_ segment: UInt64?) throws(JournalError) -> Bool {
        guard let segment else { return false }
        let index: SegmentIndex
        do throws(LogFailure) {
            index = try SegmentIndex.of(segment, on: folder.segments)
        } catch {
            // It stays where it is, and is reported to whoever reads it.
            return false
        }
        var moved: [(topic: UInt32, bytes: [UInt8])] = []
        for entry in reader.table.withLock({ $0.wanted(of: index, upTo: Self.maxMoved) }) {
            do throws(LogFailure) {
                moved.append((entry.topic, try reader.segments.bytes(of: entry.record, of: entry.topic)))
            } catch {
                return false
            }
        }
        guard !moved.isEmpty else { return false }
        var entries: [SegmentWriter.Entry] = []
        var held: [UnsafeMutableRawBufferPointer] = []
        defer { for bytes in held { bytes.deallocate() } }
        for (_, bytes) in moved {
            let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: RecordHead.alignment)
            copy.copyBytes(from: bytes)
            held.append(copy)
            guard let head = RecordHead(UnsafeRawBufferPointer(copy)) else { return false }
            entries.append(
                SegmentWriter.Entry(head.batch, [UnsafeRawBufferPointer(rebasing: copy[RecordHead.size...])])
            )
        }
        // Flushed, as the segment that they come from is removed.
        try append(entries, isFlushed: true)
        return true
    }
}
