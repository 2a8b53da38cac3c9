import NIOConcurrencyHelpers

/// Reads records back, from any thread.
package final class SegmentReader: Sendable {
    package static let maxOpenFiles = 64

    fileprivate struct OpenFiles {
        struct Item {
            var file: any DiskFile
            var lastUse: UInt64
        }

        var items: [UInt64: Item] = [:]
        /// Counts up.
        var uses: UInt64 = 0
    }

    private let disk: any Disk
    private let maxOpenFiles: Int
    private let openFiles = NIOLockedValueBox(OpenFiles())

    /// - Parameter maxOpenFiles: how many segments are kept open; the one that was not used for longest is closed.
    package init(_ disk: any Disk, maxOpenFiles: Int = SegmentReader.maxOpenFiles) {
        self.disk = disk
        self.maxOpenFiles = max(1, maxOpenFiles)
    }

    /// Reads a record, and checks that it is the one that was written.
    ///
    /// - Parameter room: ``RecordPlace/size`` bytes. Which of them are details, marks and frames says the head:
    ///   ``RecordHead/details`` and so on.
    /// - Throws: ``LogFailure``: `missing` where the segment was given up meanwhile.
    @discardableResult
    package func read(
        _ record: RecordPlace,
        of topic: UInt32,
        into room: UnsafeMutableRawBufferPointer
    ) throws(LogFailure) -> RecordHead {
        precondition(room.count == record.size)
        let name = try fill(room, from: record)
        let bytes = UnsafeRawBufferPointer(room)
        guard let head = RecordHead(bytes), head.batch.topic == topic,
            RecordPlace(head, segment: record.segment, place: record.place) == record, RecordHead.isIntact(bytes)
        else { throw .damaged(file: name, place: record.place, LostRecord(topic, record)) }
        return head
    }

    /// Reads records that are joined, and checks that they are those that were written.
    ///
    /// - Parameters:
    ///   - offset: those that end at it or before are left out.
    ///   - room: ``RecordPlace/size`` bytes.
    /// - Returns: at least one, each with its place in the room: those before the first one that is damaged.
    /// - Throws: ``LogFailure``: `damaged` when that is the first one asked for.
    package func read(
        _ joined: RecordPlace,
        of topic: UInt32,
        from offset: UInt64,
        into room: UnsafeMutableRawBufferPointer
    ) throws(LogFailure) -> [(head: RecordHead, range: Range<Int>)] {
        precondition(room.count == joined.size)
        let name = try fill(room, from: joined)
        var walk = JoinedRecords(UnsafeRawBufferPointer(room), of: topic, in: joined)
        var found: [(head: RecordHead, range: Range<Int>)] = []
        while let next = walk.next() {
            switch next {
            case .record(let head, let range):
                if head.batch.end > offset { found.append((head, range)) }
            case .lost(let offsets, let place):
                guard found.isEmpty else { return found }
                guard offsets.upperBound < offset else {
                    throw .damaged(file: name, place: joined.place + place, LostRecord(topic, offsets))
                }
            }
        }
        guard !found.isEmpty else { throw .damaged(file: name, place: joined.place, LostRecord(topic, joined)) }
        return found
    }

    /// - Returns: the name of the file. What the file ends before is zero.
    private func fill(_ room: UnsafeMutableRawBufferPointer, from record: RecordPlace) throws(LogFailure) -> String {
        let file = try file(record.segment)
        do throws(DiskError) {
            let count = try file.read(into: room, at: record.place)
            UnsafeMutableRawBufferPointer(rebasing: room[count...]).initializeMemory(as: UInt8.self, repeating: 0)
        } catch {
            throw .disk(error)
        }
        return file.name
    }

    /// The same, in an array.
    package func bytes(of record: RecordPlace, of topic: UInt32) throws(LogFailure) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: record.size)
        var failure: LogFailure?
        bytes.withUnsafeMutableBytes { room in
            do throws(LogFailure) { try read(record, of: topic, into: room) } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Closes a segment that was given up, so that its room is free.
    package func forget(_ segment: UInt64) {
        // Closed outside of the lock: that may free 64 MiB of the disk.
        _ = openFiles.withLockedValue { $0.items.removeValue(forKey: segment) }
    }

    var openFileCount: Int { openFiles.withLockedValue { $0.items.count } }

    private func file(_ segment: UInt64) throws(LogFailure) -> any DiskFile {
        if let file = openFiles.withLockedValue({ $0.use(segment) }) { return file }
        let name = SegmentHead.fileName(segment)
        let file: any DiskFile
        do throws(DiskError) {
            file = try disk.open(name)
        } catch {
            throw error.isMissing ? .missing(file: name) : .disk(error)
        }
        _ = openFiles.withLockedValue { $0.add(file, segment, most: maxOpenFiles) }
        return file
    }
}

extension SegmentReader.OpenFiles {
    mutating func use(_ segment: UInt64) -> (any DiskFile)? {
        uses += 1
        items[segment]?.lastUse = uses
        return items[segment]?.file
    }

    /// Returns the file to be closed, if there are too many.
    mutating func add(_ file: any DiskFile, _ segment: UInt64, most: Int) -> (any DiskFile)? {
        var closed: (any DiskFile)?
        if items.count >= most, items[segment] == nil,
            let oldest = items.min(by: { $0.value.lastUse < $1.value.lastUse })
        {
            closed = items.removeValue(forKey: oldest.key)?.file
        }
        items[segment] = Item(file: file, lastUse: uses)
        return closed
    }
}
