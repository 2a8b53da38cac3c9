import ApusTesting
import Testing

@testable import ApusStore

@Suite("The catalog of a process that was killed")
struct CatalogCrashTests {
    private let folder: TemporaryFolder
    /// The files as they are while the catalog is open, and the topics after each of its commits.
    private let (file, log): ([UInt8], [UInt8])
    private let states: [[Catalog.Topic]]
    /// Where each commit ended in the log, which is larger.
    private let ends: [Int]

    init() throws {
        folder = try TemporaryFolder()
        // So that something is there without the log, too.
        do { try Catalog(folder.file("c"), .create).apply([.counter("a", 1)]) }
        let catalog = try Catalog(folder.file("c"), .create)
        var (states, ends): ([[Catalog.Topic]], [Int]) = ([], [])
        var before = try folder.read("c-wal")
        for number in 1...6 as ClosedRange<UInt32> {
            // Of one page, and of many.
            let settings = String(repeating: "x", count: number.isMultiple(of: 2) ? 20_000 : 10)
            let topic = Catalog.Topic(
                number: number,
                name: [UInt8(number)],
                epoch: "e",
                durability: .disk,
                settings: settings,
                created: 0
            )
            try catalog.apply([.create(topic)])
            states.append(try catalog.load().topics)
            let after = try folder.read("c-wal")
            ends.append((after.indices.last { !before.indices.contains($0) || before[$0] != after[$0] } ?? 0) + 1)
            before = after
        }
        (file, log) = (try folder.read("c"), try folder.read("c-wal"))
        (self.states, self.ends) = (states, ends)
    }

    private func open(_ log: [UInt8]) throws -> [Catalog.Topic] {
        let copy = try TemporaryFolder()
        try copy.write(file, to: "c")
        try copy.write(log, to: "c-wal")
        return try Catalog(copy.file("c"), .change).load().topics
    }

    @Test func `is what was committed last`() throws {
        #expect(try open(log) == states.last)
    }

    @Test func `is never what a flipped bit has made of the log, nor older than what a later commit proves`() throws {
        var generator = SeededGenerator(seed: 1)
        let proven = ends[ends.count - 2]
        var damaged = 0
        for round in 0..<150 {
            var flipped = log
            // The heads, too.
            let place = round < 64 ? round % 32 : Int.random(in: 0..<ends[ends.count - 1], using: &generator)
            flipped[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            do throws(any Error) {
                let topics = try open(flipped)
                // In the last commit, it looks like a write that was cut.
                #expect(topics == states.last || place >= proven && topics == states[states.count - 2], "\(place)")
            } catch is CatalogError {
                damaged += 1
            }
        }
        #expect(damaged > 60)
    }

    @Test func `is what it was where the log begins anew and its head was cut`() throws {
        let copy = try TemporaryFolder()
        try copy.write(file, to: "c")
        try copy.write(log, to: "c-wal")
        do { _ = try Catalog(copy.file("c"), .change) }
        var head = log
        for index in 12..<32 { head[index] = UInt8(truncatingIfNeeded: index * 77) }
        try copy.write(head, to: "c-wal")
        #expect(try Catalog(copy.file("c"), .change).load().topics == states.last)
    }

    @Test func `is whole after a write that was cut, at any byte, with any of its sectors`() throws {
        var generator = SeededGenerator(seed: 2)
        let (start, end) = (ends[ends.count - 2], ends[ends.count - 1])
        for round in 0..<60 {
            var cut = log
            if round.isMultiple(of: 2) {
                cut = Array(log.prefix(Int.random(in: start..<end, using: &generator)))
            } else {
                for place in stride(from: start, to: end, by: 512) where generator.chance(40) {
                    for index in place..<min(place + 512, end) { cut[index] = 0 }
                }
            }
            let topics = try open(cut)
            #expect(topics == states.last || topics == states[states.count - 2])
        }
    }
}
