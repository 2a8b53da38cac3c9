import CCRC32C

/// What a record says before its contents: a batch of one topic's publications.
///
/// ```
/// byte  0 length of the record   4 CRC-32C of all after it    8 version, flags, 2 of zero   12 topic
///      16 commit                24 commits known to be kept  32 first offset               40 count, size of details
///      48 size of marks, 0      56 newest stamp              64 details, marks, frames, and up to 7 of zero
/// ```
/// Numbers are little-endian. A record begins at a multiple of ``alignment``.
package struct RecordHead: Hashable, Sendable {
    package static let (size, alignment) = (64, 8)
    /// The most that a record may be: more than the largest message that a server can be told to take.
    package static let maxRecordSize = 1 << 30
    private static let version: UInt8 = 1

    /// What is given by who appends the record.
    package struct Batch: Hashable, Sendable {
        /// The topic's number in the catalog. A topic that is created again has another one.
        package var topic: UInt32
        package var first: UInt64
        /// The number of publications; at least 1.
        package var count: UInt32
        /// The newest stamp in the batch, in milliseconds since 1970.
        package var newestTime: Int64
        package var (detailsSize, marksSize, framesSize): (Int, Int, Int)

        package init(
            topic: UInt32,
            first: UInt64,
            count: UInt32,
            newestTime: Int64,
            detailsSize: Int,
            marksSize: Int,
            framesSize: Int
        ) {
            self.topic = topic
            self.first = first
            self.count = count
            self.newestTime = newestTime
            (self.detailsSize, self.marksSize, self.framesSize) = (detailsSize, marksSize, framesSize)
        }

        /// The offset after the last one.
        package var end: UInt64 { first + UInt64(count) }

        package var contentsSize: Int { detailsSize + marksSize + framesSize }
    }

    package var batch: Batch
    /// Which commit the record is part of. A commit is written at once.
    package var commit: UInt64
    /// The last commit that was known to be beyond a crash of the machine when this record was written.
    package var kept: UInt64
    /// Whether the next record is of the next commit.
    package var isLastOfCommit: Bool

    /// The bytes of the record without those that align the next one.
    package var unpaddedSize: Int { Self.size + batch.contentsSize }

    /// The size of the record.
    package var recordSize: Int { Self.padded(unpaddedSize) }

    static func padded(_ size: Int) -> Int { (size + alignment - 1) & ~(alignment - 1) }

    /// Where a record's bytes have its details, marks and frames.
    package var details: Range<Int> { Self.size..<Self.size + batch.detailsSize }
    package var marks: Range<Int> { details.upperBound..<details.upperBound + batch.marksSize }
    package var frames: Range<Int> { marks.upperBound..<unpaddedSize }
}

// The head as bytes.

extension RecordHead {
    /// Writes the head with the checksum of the record.
    ///
    /// - Parameters:
    ///   - parts: the contents, as long together as the batch says.
    ///   - room: ``size`` bytes.
    func write(followedBy parts: [UnsafeRawBufferPointer], to room: UnsafeMutableRawBufferPointer) {
        func store<Number: FixedWidthInteger>(_ number: Number, at place: Int) {
            room.storeBytes(of: number.littleEndian, toByteOffset: place, as: Number.self)
        }
        store(UInt32(unpaddedSize), at: 0)
        store(Self.version, at: 8)
        store(UInt8(isLastOfCommit ? 1 : 0), at: 9)
        store(UInt16(0), at: 10)
        store(batch.topic, at: 12)
        store(commit, at: 16)
        store(kept, at: 24)
        store(batch.first, at: 32)
        store(batch.count, at: 40)
        store(UInt32(batch.detailsSize), at: 44)
        store(UInt32(batch.marksSize), at: 48)
        store(UInt32(0), at: 52)
        store(batch.newestTime, at: 56)
        var checksum = crc32c(0, room.baseAddress.map { $0 + 8 }, Self.size - 8)
        for part in parts { checksum = crc32c(checksum, part.baseAddress, part.count) }
        store(checksum, at: 4)
    }

    /// Reads a head, of which nothing is proven yet. `nil` if it cannot be one.
    ///
    /// - Parameter bytes: at least ``size``.
    package init?(_ bytes: UnsafeRawBufferPointer) {
        func load<Number: FixedWidthInteger>(_ place: Int, as: Number.Type = Number.self) -> Number {
            Number(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: Number.self))
        }
        let length = Int(load(0, as: UInt32.self))
        let (details, marks) = (Int(load(44, as: UInt32.self)), Int(load(48, as: UInt32.self)))
        guard length >= Self.size + details + marks, length <= Self.maxRecordSize, load(8) == Self.version,
            load(9, as: UInt8.self) <= 1, load(10) == UInt16(0), load(52) == UInt32(0), load(40, as: UInt32.self) > 0
        else { return nil }
        batch = Batch(
            topic: load(12),
            first: load(32),
            count: load(40),
            newestTime: load(56),
            detailsSize: details,
            marksSize: marks,
            framesSize: length - Self.size - details - marks
        )
        commit = load(16)
        kept = load(24)
        isLastOfCommit = load(9) == UInt8(1)
        guard kept < commit, commit < .max, batch.first.addingReportingOverflow(UInt64(batch.count)).overflow == false
        else {
            return nil
        }
    }

    /// Whether a record's bytes are those that were written.
    ///
    /// - Parameter record: ``unpaddedSize`` bytes.
    static func isIntact(_ record: UnsafeRawBufferPointer) -> Bool {
        let checksum = UInt32(littleEndian: record.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        return crc32c(0, record.baseAddress.map { $0 + 8 }, record.count - 8) == checksum
    }
}
