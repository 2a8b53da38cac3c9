import ApusBroker
import Testing

@testable import ApusJournal

/// Where the packs of a topic are.
@Suite struct PackIndexTests {
    private let everything = JournalWant(
        history: 1,
        historyAge: nil,
        historyBytes: nil,
        needed: .max,
        neededBytes: .max
    )

    /// Packs of ten messages and `bytes` bytes, one a second, at the sequences 100, 102, 104 …
    private func index(packs: Int, bytes: Int, mostEntries: Int = 1000, historyAge: Int64? = nil) -> PackIndex {
        var index = PackIndex(mostEntries: mostEntries)
        for pack in 0..<packs {
            index.append(
                first: UInt64(1 + pack * 10),
                count: 10,
                sequence: UInt64(100 + 2 * pack),
                bytes: bytes,
                time: Int64(pack * 1000),
                historyAge: historyAge
            )
        }
        return index
    }

    @Test func `a large pack has a place of its own, and small ones share one`() throws {
        let large = index(packs: 10, bytes: PackIndex.grain)
        #expect(large.count == 10)
        #expect(try #require(large.entry(of: 35)).sequence == 106)
        let small = index(packs: 10, bytes: PackIndex.grain / 4)
        #expect(small.count == 3)
        #expect(try #require(small.entry(of: 35)).sequence == 100, "who looks for it reads on from there")
        #expect(small.entry(of: 0) == nil && small.entry(of: 101) == nil)
        #expect(small.first == 1 && small.end == 101 && small.bytes == 10 * PackIndex.grain / 4)
    }

    @Test func `however many packs there are, it has so many places at most`() throws {
        let index = index(packs: 5000, bytes: PackIndex.grain, mostEntries: 64)
        #expect((16...64).contains(index.count))
        #expect(index.bytes == 5000 * PackIndex.grain)
        for offset in stride(from: UInt64(1), through: 50_000, by: 997) {
            let entry = try #require(index.entry(of: offset))
            #expect(entry.first <= offset)
            #expect(entry.sequence == 100 + 2 * (entry.first / 10), "a place is a pack that there was")
        }
    }

    @Test func `places that are joined stay about as large as each other`() throws {
        let index = index(packs: 5000, bytes: PackIndex.grain * 5 / 4, mostEntries: 64)
        #expect((32...64).contains(index.count))
        let places = stride(from: UInt64(1), through: 49_991, by: 10).compactMap { index.entry(of: $0) }
        let (least, most) = (places.map(\.bytes).min() ?? 0, places.dropLast().map(\.bytes).max() ?? 0)
        #expect(most <= 256 * PackIndex.grain && least > 0)
    }

    @Test func `a pack that was noted changes nothing when it comes again`() throws {
        var index = index(packs: 10, bytes: PackIndex.grain)
        index.append(first: 81, count: 10, sequence: 116, bytes: PackIndex.grain, time: 0, historyAge: nil)
        #expect(index.first == 1 && index.end == 101 && index.count == 10)
    }

    @Test func `a gap is the end of what was before it`() {
        var index = index(packs: 3, bytes: PackIndex.grain)
        index.append(first: 100, count: 1, sequence: 200, bytes: 5, time: 9000, historyAge: nil)
        #expect(index.first == 100 && index.end == 101 && index.bytes == 5 && index.entry(of: 5) == nil)
    }

    @Test func `what history does not want is forgotten, unless somebody still needs it`() {
        var index = index(packs: 10, bytes: PackIndex.grain)
        var want = everything
        (want.history, want.needed) = (55, 35)
        #expect(index.trim(to: want, time: 0) == 55)
        #expect(index.first == 31, "the pack in which 35 is")
        want.needed = .max
        #expect(index.trim(to: want, time: 0) == 55)
        #expect(index.first == 51)
        (want.needed, want.neededBytes) = (51, 0)
        want.history = 75
        #expect(index.trim(to: want, time: 0) == 75)
        #expect(index.first == 71, "what is only needed is bounded")
    }

    @Test func `history ends by age and by bytes`() {
        var old = index(packs: 10, bytes: PackIndex.grain)
        var want = everything
        want.historyAge = 3000
        #expect(old.trim(to: want, time: 9000) == 61, "the packs of the seconds 6 to 9")
        #expect(old.first == 61)
        #expect(old.trim(to: want, time: 100_000) == 101, "nothing is young enough")
        var many = index(packs: 10, bytes: PackIndex.grain)
        want = everything
        want.historyBytes = 2 * PackIndex.grain
        #expect(many.trim(to: want, time: 0) == 81)
    }

    @Test func `under a bound in age small packs do not share a place for long`() {
        let index = index(packs: 100, bytes: 10, historyAge: 320_000)
        #expect(index.count == 10)
        #expect(index.first(since: 50_500) == 501)
        #expect(index.first(since: 200_000) == nil)
    }
}
