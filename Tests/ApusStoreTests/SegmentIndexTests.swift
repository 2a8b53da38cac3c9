import Synchronization
import Testing

@testable import ApusStore

@Suite("Indexes of segments")
struct SegmentIndexTests {
    private let disk = SimulatedDisk()

    /// Writes segments of two records each; by default the last of four has one.
    private func write(_ count: UInt64 = 7, finish: Bool = false) throws {
        var writer = SegmentWriter(disk, number: 1, after: 0, segmentSize: 400)
        for number in 0..<count {
            let batch = RecordHead.Batch(
                topic: 5,
                first: number * 10 + 1,
                count: 10,
                newestTime: Int64(number) - 3,
                detailsSize: 0,
                marksSize: 0,
                framesSize: 99
            )
            _ = try writer.append([(batch, [UInt8](repeating: 7, count: 99))], isKept: false)
        }
        if finish { try writer.finish() }
    }

    @Test func `spare a start the reading of messages`() throws {
        try write()
        let first = try LogRecovery(disk)
        #expect(first.scanned == 1)
        let second = try LogRecovery(disk)
        #expect(second.scanned == 0)
        #expect(second.segments == first.segments && second.commit == 7 && second.nextNumber == 5)
    }

    @Test func `are all there after an orderly end`() throws {
        try write(finish: true)
        let recovery = try LogRecovery(disk)
        #expect(recovery.scanned == 0 && recovery.commit == 7)
    }

    @Test func `say the same as the segments`() throws {
        try write(finish: true)
        let indexed = try LogRecovery(disk)
        for segment in 1...4 as ClosedRange<UInt64> { try disk.remove(SegmentIndex.fileName(segment)) }
        let scanned = try LogRecovery(disk)
        #expect(scanned.scanned == 4 && scanned.segments == indexed.segments)
        #expect(try LogRecovery(disk).scanned == 0)
    }

    @Test func `are made again whichever of their bits flips, wherever they are cut`() throws {
        try write(finish: true)
        let intact = try LogRecovery(disk).segments
        let name = SegmentIndex.fileName(2)
        let size = try disk.open(name).size()
        for bit in 0..<size * 8 {
            disk.flip(name, bit: bit)
            let recovery = try LogRecovery(disk)
            #expect(recovery.scanned == 1 && recovery.segments == intact)
        }
        for count in 0..<size {
            try disk.open(name).truncate(to: count)
            let recovery = try LogRecovery(disk)
            #expect(recovery.scanned == 1 && recovery.segments == intact)
        }
    }

    @Test func `of other segments are not believed`() throws {
        try write(finish: true)
        let intact = try LogRecovery(disk).segments
        let other = try disk.open(SegmentIndex.fileName(3)).read()
        try disk.open(SegmentIndex.fileName(2)).write(other, at: 0)
        let recovery = try LogRecovery(disk)
        #expect(recovery.scanned == 1 && recovery.segments == intact)
    }

    @Test func `do not stand for a segment that was cut short`() throws {
        try write(finish: true)
        try disk.open(SegmentHead.fileName(2)).truncate(to: 200)
        let failure = #expect(throws: LogFailure.self) { try LogRecovery(disk) }
        guard case .damaged(file: SegmentHead.fileName(2), _, _) = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
    }

    @Test func `are not written where there is no room, and then made at the next start`() throws {
        disk.state.withLock { $0.capacity = 450 }
        try write(2, finish: true)
        #expect(try disk.names().sorted() == [SegmentHead.fileName(1), SegmentHead.fileName(2)])
        disk.state.withLock { $0.capacity = .max }
        #expect(try LogRecovery(disk).scanned == 1)
        #expect(try LogRecovery(disk).scanned == 0)
    }

    @Test func `are not made by one who only looks`() throws {
        try write()
        let before = try disk.names().sorted()
        let recovery = try LogRecovery(disk, mode: .look)
        #expect(recovery.commit == 7)
        #expect(try disk.names().sorted() == before)
        #expect(try LogRecovery(disk, mode: .look).scanned == 1)
    }
}
