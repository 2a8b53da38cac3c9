import ApusTesting
import Synchronization
import Testing

@testable import ApusStore

/// A log, what was written to it, and a disk below it that crashes.
private struct World {
    struct Entry: Equatable {
        var batch: RecordHead.Batch
        var contents: [UInt8]
    }

    /// What must never happen.
    enum Violation: Error, Equatable {
        /// A commit is not there as it was written.
        case changed(UInt64)
        /// There is more than was written.
        case invented
        /// A commit that was kept is gone.
        case lost(UInt64)
    }

    let disk = SimulatedDisk()
    var generator: SeededGenerator
    /// What each commit holds, from commit 1 on.
    var commits: [[Entry]] = []
    /// The last commit that must survive everything.
    var kept: UInt64 = 0

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    private mutating func entries() -> [Entry] {
        (0..<Int.random(in: 1...4, using: &generator)).map { _ in
            let sizes = (0..<3).map { _ in
                Bool.random(using: &generator) ? Int.random(in: 0...900, using: &generator) : 0
            }
            let batch = RecordHead.Batch(
                topic: UInt32.random(in: 1...5, using: &generator),
                first: UInt64.random(in: 1...1_000_000, using: &generator),
                count: UInt32.random(in: 1...100, using: &generator),
                newestTime: Int64.random(in: 0...Int64.max, using: &generator),
                detailsSize: sizes[0],
                marksSize: sizes[1],
                framesSize: sizes[2]
            )
            // Zeros are what an unwritten disk looks like.
            let zeros = Bool.random(using: &generator)
            let size = sizes.reduce(0, +)
            let contents = zeros ? [UInt8](repeating: 0, count: size) : generator.bytes(size)
            return Entry(batch: batch, contents: contents)
        }
    }

    /// Writes until the machine stops.
    mutating func work(after recovery: LogRecovery, calls: Int) {
        disk.state.withLock { $0.callsLeft = calls }
        do throws(DiskError) {
            var writer = SegmentWriter(disk, number: recovery.nextNumber, after: recovery.commit, segmentSize: 8192)
            while true {
                let isKept = Bool.random(using: &generator)
                let entries = entries()
                commits.append(entries)
                _ = try writer.append(entries.map { ($0.batch, $0.contents) }, isKept: isKept)
                kept = writer.kept
            }
        } catch {
            // The machine has stopped.
        }
    }

    /// Reads the log. What it has must be what was written, whole commits without a gap.
    mutating func recover() throws -> LogRecovery {
        let recovery = try LogRecovery(disk)
        let reader = SegmentReader(disk, maxOpenFiles: 2)
        var found: [UInt64: [Entry]] = [:]
        for segment in recovery.segments {
            for entry in segment.entries {
                let bytes = try reader.bytes(of: entry.record, of: entry.topic)
                guard let head = bytes.withUnsafeBytes({ RecordHead($0) }) else { throw Violation.invented }
                found[head.commit, default: []].append(
                    Entry(batch: head.batch, contents: Array(bytes[RecordHead.size...]))
                )
            }
        }
        guard recovery.commit <= commits.count, found.count == Int(recovery.commit) else { throw Violation.invented }
        for number in 0..<recovery.commit where found[number + 1] != commits[Int(number)] {
            throw Violation.changed(number + 1)
        }
        return recovery
    }

    /// Crashes, and goes on with what is left.
    mutating func crash() throws -> LogRecovery {
        disk.crash(&generator)
        let recovery = try recover()
        guard recovery.commit >= kept else { throw Violation.lost(kept) }
        commits.removeLast(commits.count - Int(recovery.commit))
        kept = recovery.commit
        return recovery
    }
}

@Suite("A log on a disk that crashes")
struct CrashTests {
    /// A life of a log: several machines, each of which stops at some call.
    private func live(seed: UInt64, lies: Set<SimulatedDisk.Lie> = []) throws -> World {
        var world = World(seed: seed)
        world.disk.state.withLock { $0.lies = lies }
        var recovery = try LogRecovery(world.disk)
        for _ in 0..<4 {
            world.work(after: recovery, calls: Int.random(in: 1...60, using: &world.generator))
            recovery = try world.crash()
        }
        return world
    }

    @Test func `keeps what it has said to keep, whole commits only, and nothing else`() throws {
        for seed in 1...1000 as ClosedRange<UInt64> { _ = try live(seed: seed) }
    }

    @Test(arguments: [SimulatedDisk.Lie.fileSync, .nameSync])
    func `would be found out if a sync did not keep anything`(_ lie: SimulatedDisk.Lie) {
        let found = (1...50 as ClosedRange<UInt64>).contains { seed in
            (try? live(seed: seed, lies: [lie])) == nil
        }
        #expect(found)
    }

    @Test func `never serves what a flipped bit has changed, and says where it is`() throws {
        var damaged = 0
        for seed in 1...100 as ClosedRange<UInt64> {
            var world = try live(seed: seed)
            guard let name = try world.disk.names().sorted().randomElement(using: &world.generator) else { continue }
            let size = try world.disk.open(name).size()
            guard size > 0 else { continue }
            world.disk.flip(name, bit: Int.random(in: 0..<size * 8, using: &world.generator))
            do {
                // Else it is in what nobody has written yet, or in an index, which is made again.
                #expect(try world.recover().commit == world.kept)
            } catch let failure as LogFailure {
                guard case .damaged(let file, let place, _) = failure else { throw failure }
                #expect(file == name && place < size)
                damaged += 1
            }
        }
        #expect(damaged > 20)
    }

    @Test func `says which segment is missing, the newest too`() throws {
        for seed in 1...30 as ClosedRange<UInt64> {
            let world = try live(seed: seed)
            let recovery = try LogRecovery(world.disk)
            for segment in recovery.segments.map(\.segment.number) + [recovery.nextNumber] {
                let copy = SimulatedDisk(copying: world.disk)
                let name = SegmentHead.fileName(segment)
                guard try copy.names().contains(name) else { continue }
                try copy.remove(name)
                // Of those without records, that are at the end, nobody knows.
                if recovery.segments.contains(where: { $0.segment.number >= segment - 1 && !$0.entries.isEmpty }) {
                    let failure = #expect(throws: LogFailure.self) { try LogRecovery(copy) }
                    #expect(failure == .missing(file: name))
                }
            }
        }
    }

    @Test func `refuses a version that it does not know`() throws {
        let disk = SimulatedDisk()
        let file = try disk.create(SegmentHead.fileName(1), size: 8192)
        var bytes = SegmentHead(number: 1, before: 0).bytes
        bytes[8] = 2
        bytes.withUnsafeMutableBytes { room in
            room.storeBytes(
                of: SegmentHead.checksum(UnsafeRawBufferPointer(room)).littleEndian,
                toByteOffset: 60,
                as: UInt32.self
            )
        }
        try bytes.withUnsafeBytes { try file.write([$0], at: 0) }
        let failure = #expect(throws: LogFailure.self) { try LogRecovery(disk) }
        #expect(failure == .version(file: SegmentHead.fileName(1), 2))
    }
}
