import Synchronization
import Testing

@testable import ApusStore

@Suite("A segment reader")
struct SegmentReaderTests {
    private let disk = SimulatedDisk()

    /// Writes segments; as small as they are by default, with one record each.
    private func write(_ count: Int, segmentSize: Int = 256) throws -> [RecordPlace] {
        var writer = SegmentWriter(disk, number: 1, after: 0, segmentSize: segmentSize)
        return try (0..<count).map { index in
            let batch = RecordHead.Batch(
                topic: 9,
                first: UInt64(index * 10 + 1),
                count: 10,
                newestTime: 0,
                detailsSize: 2,
                marksSize: 3,
                framesSize: 95
            )
            let contents = [UInt8](repeating: 1, count: 2) + [2, 2, 2] + [UInt8](repeating: UInt8(index), count: 95)
            return try writer.append([(batch, contents)], isKept: true)[0]
        }
    }

    @Test func `gives back details, marks and frames`() throws {
        let written = try write(3)
        let reader = SegmentReader(disk)
        for (index, written) in written.enumerated() {
            let record = try reader.bytes(of: written, of: 9)
            let head = try #require(record.withUnsafeBytes { RecordHead($0) })
            #expect(Array(record[head.details]) == [1, 1])
            #expect(Array(record[head.marks]) == [2, 2, 2])
            #expect(Array(record[head.frames]) == [UInt8](repeating: UInt8(index), count: 95))
        }
    }

    @Test func `keeps a bounded number of files open, those that are in use`() throws {
        let written = try write(10)
        let reader = SegmentReader(disk, maxOpenFiles: 3)
        for written in written {
            _ = try reader.bytes(of: written, of: 9)
            _ = try reader.bytes(of: written, of: 9)
        }
        #expect(reader.openFileCount == 3)
        // What is open can be read although its name is gone; what is not, cannot.
        for written in written { try disk.remove(SegmentHead.fileName(written.segment)) }
        _ = try reader.bytes(of: written[9], of: 9)
        let failure = #expect(throws: LogFailure.self) { try reader.bytes(of: written[0], of: 9) }
        #expect(failure == .missing(file: SegmentHead.fileName(1)))
        reader.forget(10)
        #expect(throws: LogFailure.self) { try reader.bytes(of: written[9], of: 9) }
    }

    @Test func `says which bytes of which record are damaged, wherever a bit flips`() throws {
        let written = try write(1)
        let found = written[0]
        let name = SegmentHead.fileName(1)
        let reader = SegmentReader(disk)
        for bit in found.place * 8..<(found.place + found.size) * 8 {
            disk.flip(name, bit: bit)
            let failure = #expect(throws: LogFailure.self) { try reader.bytes(of: found, of: 9) }
            #expect(failure == .damaged(file: name, place: found.place, LostRecord(9, found)))
            disk.flip(name, bit: bit)
        }
        _ = try reader.bytes(of: found, of: 9)
    }

    @Test func `says which of joined records is damaged, and gives back those before and after it`() throws {
        let records = try write(4, segmentSize: 4096)
        let joined = try #require(
            records.dropFirst().reduce(records[0]) { $0?.joined(with: $1, most: .max) }
        )
        let (name, reader) = (SegmentHead.fileName(1), SegmentReader(disk))
        #expect(try reader.contents(of: joined, of: 9).map(\.offsets) == [1..<11, 11..<21, 21..<31, 31..<41])
        #expect(try reader.contents(of: joined, of: 9, from: 20).map(\.offsets) == [11..<21, 21..<31, 31..<41])
        let broken = records[2]
        for bit in broken.place * 8..<(broken.place + broken.size) * 8 {
            disk.flip(name, bit: bit)
            #expect(try reader.contents(of: joined, of: 9).map(\.offsets) == [1..<11, 11..<21])
            let failure = #expect(throws: LogFailure.self) { try reader.contents(of: joined, of: 9, from: 21) }
            #expect(failure == .damaged(file: name, place: broken.place, LostRecord(9, broken)))
            #expect(try reader.contents(of: joined, of: 9, from: 31).map(\.offsets) == [31..<41])
            disk.flip(name, bit: bit)
        }
        try disk.open(name).truncate(to: broken.place + 100)
        let cut = #expect(throws: LogFailure.self) { try reader.contents(of: joined, of: 9, from: 21) }
        #expect(cut == .damaged(file: name, place: broken.place, LostRecord(9, 21...40)))
    }

    @Test func `does not take another record for the one that is asked for`() throws {
        let written = try write(2)
        let reader = SegmentReader(disk)
        let other = RecordPlace(
            first: written[0].first,
            count: written[0].count,
            newestTime: written[0].newestTime,
            segment: 2,
            place: written[0].place,
            size: written[0].size
        )
        #expect(throws: LogFailure.self) { try reader.bytes(of: other, of: 9) }
        #expect(throws: LogFailure.self) { try reader.bytes(of: written[0], of: 8) }
    }

    @Test func `misses a record that the file ends before`() throws {
        let written = try write(1)
        try disk.open(SegmentHead.fileName(1)).truncate(to: 100)
        let reader = SegmentReader(disk)
        #expect(throws: LogFailure.self) { try reader.bytes(of: written[0], of: 9) }
    }
}
