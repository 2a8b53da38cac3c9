import Foundation
import Synchronization
import Testing

@testable import ApusStore

@Suite("A segment writer")
struct SegmentWriterTests {
    /// A batch of one publication, of so many bytes.
    private func entry(_ size: Int) -> (batch: RecordHead.Batch, contents: [UInt8]) {
        let batch = RecordHead.Batch(
            topic: 1,
            first: 1,
            count: 1,
            newestTime: 0,
            detailsSize: 0,
            marksSize: 0,
            framesSize: size
        )
        return (batch, [UInt8](repeating: 1, count: size))
    }

    @Test func `goes on in a new segment when one is full, and in a larger one for what fits in none`() throws {
        let disk = SimulatedDisk()
        var writer = SegmentWriter(disk, number: 1, after: 0, segmentSize: 4096)
        let segments = try [1000, 1000, 1000, 1000, 10_000, 1000].map { size in
            try writer.append([entry(size)], isKept: false)[0].segment
        }
        #expect(segments == [1, 1, 1, 2, 3, 4])
        #expect(writer.kept == 5)
        let recovery = try LogRecovery(disk)
        #expect(recovery.segments.map(\.segment.number) == [1, 2, 3, 4])
        #expect(recovery.commit == 6)
    }

    @Test func `goes on when there is room again`() throws {
        let disk = SimulatedDisk()
        disk.state.withLock { $0.capacity = 4096 }
        var writer = SegmentWriter(disk, number: 1, after: 0, segmentSize: 4096)
        _ = try writer.append([entry(3000)], isKept: true)
        for _ in 0..<2 {
            let full = #expect(throws: DiskError.self) { try writer.append([entry(3000)], isKept: true) }
            #expect(full?.isFull == true)
        }
        disk.state.withLock { $0.capacity = 8192 }
        #expect(try writer.append([entry(3000)], isKept: true)[0].segment == 2)
        #expect(try LogRecovery(disk).commit == 2)
    }

    @Test func `writes nothing more after a write that has failed`() throws {
        let disk = SimulatedDisk()
        var writer = SegmentWriter(disk, number: 1, after: 0, segmentSize: 4096)
        disk.state.withLock { $0.writesLeft = 1 }
        #expect(throws: DiskError.self) { try writer.append([entry(100)], isKept: true) }
        disk.state.withLock { $0.writesLeft = .max }
        #expect(throws: DiskError.self) { try writer.append([entry(100)], isKept: true) }
        #expect(throws: DiskError.self) { try writer.sync() }
    }

    @Test func `does the same on the file system`() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "apus-store-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let disk = try SystemDisk(folder.path)
        var writer = SegmentWriter(disk, number: 1, after: 0, segmentSize: 64 << 10)
        for number in 1...5 {
            _ = try writer.append([entry(7), entry(30_000)], isKept: number.isMultiple(of: 2))
        }
        let recovery = try LogRecovery(disk)
        #expect(recovery.segments.map(\.entries.count) == [4, 4, 2])
        let last = try #require(recovery.segments.last)
        let record = try SegmentReader(disk).bytes(of: last.entries[1].record, of: 1)
        #expect(Array(record[RecordHead.size...]) == entry(30_000).contents)
        #expect(try disk.names().count == 7)
        let missing = #expect(throws: DiskError.self) { try disk.open("none") }
        #expect("\(try #require(missing))" == "none: open: No such file or directory")
    }
}
