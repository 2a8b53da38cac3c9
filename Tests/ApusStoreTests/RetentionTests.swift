import ApusTesting
import Synchronization
import Testing

@testable import ApusStore

@Suite("A log that is cleaned on a disk that crashes")
struct RetentionTests {
    private func live(seed: UInt64, fault: RetentionWorld.Fault? = nil) throws -> RetentionWorld {
        var world = try RetentionWorld(seed: seed, fault: fault)
        for _ in 0..<4 {
            world.work(calls: Int.random(in: 1...150, using: &world.generator))
            try world.crash()
        }
        return world
    }

    @Test func `keeps what is wanted, in order, and nothing is left of what is not`() throws {
        var (removed, moved, joined) = (0, 0, 0)
        for seed in 1...1000 as ClosedRange<UInt64> {
            let world = try live(seed: seed)
            (removed, moved, joined) = (removed + world.removed, moved + world.moved, joined + world.joined)
        }
        #expect(removed > 1000 && moved > 250 && joined > 250)
    }

    @Test(arguments: RetentionWorld.Fault.allCases)
    func `would be found out if it were done in another order`(_ fault: RetentionWorld.Fault) {
        #expect((1...400 as ClosedRange<UInt64>).contains { (try? live(seed: $0, fault: fault)) == nil })
    }

    @Test func `says which segment is missing that was not given up`() throws {
        for seed in 1...40 as ClosedRange<UInt64> {
            let world = try live(seed: seed)
            for name in try world.disk.names() {
                guard let number = SegmentHead.number(inName: name), number < world.table.segments.keys.max() ?? 0
                else {
                    continue
                }
                let copy = SimulatedDisk(copying: world.disk)
                try copy.remove(name)
                let failure = #expect(throws: LogFailure.self) {
                    try LogRecovery(copy, givenUp: world.catalog.givenUp)
                }
                #expect(failure == .missing(file: name))
            }
        }
    }

    @Test func `never serves what a flipped bit has changed`() throws {
        var damaged = 0
        for seed in 1...150 as ClosedRange<UInt64> {
            var world = try live(seed: seed)
            let before = world.topics.mapValues { $0.records.map(\.offsets) }
            guard let name = try world.disk.names().sorted().randomElement(using: &world.generator) else { continue }
            let size = try world.disk.open(name).size()
            guard size > 0 else { continue }
            world.disk.flip(name, bit: Int.random(in: 0..<size * 8, using: &world.generator))
            do {
                try world.recover()
                #expect(world.topics.mapValues { $0.records.map(\.offsets) } == before)
            } catch let failure as LogFailure {
                guard case .damaged(let file, let place, _) = failure else { throw failure }
                #expect(file == name && place < size)
                damaged += 1
            }
        }
        #expect(damaged > 30)
    }

    @Test func `leaves foreign files alone`() throws {
        let world = try live(seed: 1)
        for name in ["notes.txt", "1.seg", "0000000001.seg.bak", "x.seg.idx"] {
            _ = try world.disk.create(name, size: 10)
        }
        _ = try LogRecovery(world.disk, givenUp: world.catalog.givenUp)
        #expect(try Set(world.disk.names()).isSuperset(of: ["notes.txt", "1.seg", "0000000001.seg.bak", "x.seg.idx"]))
    }
}
