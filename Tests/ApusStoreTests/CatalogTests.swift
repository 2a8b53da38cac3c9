import ApusTesting
import Foundation
import GRDB
import Testing

@testable import ApusStore

@Suite("The catalog")
struct CatalogTests {
    private let folder: TemporaryFolder
    private var path: String { folder.file("catalog.sqlite") }

    init() throws { folder = try TemporaryFolder() }

    private func topic(_ number: UInt32, _ name: String = "orders.eu") -> Catalog.Topic {
        Catalog.Topic(
            number: number,
            name: Array("\(name).\(number)".utf8),
            epoch: "e\(number)",
            durability: .disk,
            settings: #"{"history":1000}"#,
            created: 1_790_000_000_000 + Int64(number)
        )
    }

    /// What a new process finds.
    private func reopened() throws -> Catalog.Contents { try Catalog(path, .change).load() }

    @Test func `gives back what was written, byte for byte`() throws {
        var strange = topic(7)
        strange.name = [0, 0xFF, 0x27, 0x41, 0xCC, 0x81]
        strange.durability = .os
        strange.created = -1
        try Catalog(path, .create).apply([
            .create(topic(1)), .create(strange), .counter("published", .max), .counter("é", -3),
        ])
        let contents = try reopened()
        #expect(contents.topics == [topic(1), strange])
        #expect(contents.counters == ["published": .max, "é": -3])
        #expect(contents.nextTopic == 8)
    }

    @Test func `changes and deletes, and never gives a number twice`() throws {
        let catalog = try Catalog(path, .create)
        try catalog.apply([.create(topic(1)), .create(topic(2)), .counter("a", 1), .counter("b", 1)])
        var changed = topic(1)
        changed.settings = "{}"
        try catalog.apply([.change(changed), .delete(topic: 2), .counter("a", 2), .removeCounter("b")])
        let contents = try reopened()
        #expect(contents.topics == [changed])
        #expect(contents.counters == ["a": 2])
        #expect(contents.nextTopic == 3)
        #expect(throws: CatalogError.self) { try catalog.apply([.create(topic(2))]) }
    }

    @Test func `knows from where on topics are kept, and which segments were given up`() throws {
        let catalog = try Catalog(path, .create)
        try catalog.apply([.create(topic(1)), .create(topic(2)), .keep(topic: 2, from: 41)])
        try catalog.apply([0, 3, 1, 5, 2, 7, 6, 3].map { .giveUp(segment: $0) })
        let contents = try reopened()
        #expect(contents.topics.map(\.from) == [1, 41])
        #expect(contents.givenUp.ranges == [0...3, 5...7])
    }

    @Test func `makes all changes or none, and no more after a failure`() throws {
        let catalog = try Catalog(path, .create)
        try catalog.apply([.create(topic(1))])
        let failure = #expect(throws: CatalogError.self) {
            try catalog.apply([.create(topic(2)), .counter("a", 1), .delete(topic: 9)])
        }
        #expect(failure == .failed("there is no topic number 9"))
        #expect(throws: try #require(failure)) { try catalog.apply([.counter("a", 1)]) }
        let contents = try reopened()
        #expect(contents.topics == [topic(1)] && contents.counters.isEmpty && contents.nextTopic == 2)
    }

    @Test func `tells a full disk from a failure, and goes on when there is room`() throws {
        let catalog = try Catalog(path, .create)
        try catalog.queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA max_page_count = 100") }
        let many = (1...9000).map { Catalog.Change.create(topic($0)) }
        let full = #expect(throws: CatalogError.self) { try catalog.apply(many) }
        #expect(full?.isFull == true)
        #expect(try catalog.load().topics.isEmpty)
        try catalog.queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA max_page_count = 10000") }
        try catalog.apply(many)
        #expect(try reopened().topics.count == 9000)
    }

    @Test func `holds room for what makes room, and for nothing else`() throws {
        let catalog = try Catalog(path, .create)
        func limit(_ pages: String) throws {
            try catalog.queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA max_page_count = \(pages)") }
        }
        let hasReserve = { [folder] in FileManager.default.fileExists(atPath: folder.file("catalog.sqlite-reserve")) }
        let pages = try catalog.queue.read { try Int.fetchOne($0, sql: "PRAGMA page_count") }
        try limit("\(try #require(pages))")
        #expect(throws: CatalogError.full) { try catalog.apply((1...500).map { .create(topic($0)) }) }
        #expect(hasReserve())
        // What is reserved is of no use in this test, as the limit is another one; but it was tried.
        #expect(throws: CatalogError.full) { try catalog.apply((0..<500).map { .giveUp(segment: $0 * 2) }) }
        #expect(!hasReserve())
        try limit("10000")
        try catalog.apply((0..<500).map { .giveUp(segment: $0 * 2) })
        #expect(hasReserve())
    }

    @Test func `syncs every commit`() throws {
        let settings = try Catalog(path, .create).queue.read { database in
            [
                try String.fetchOne(database, sql: "PRAGMA journal_mode"),
                try String.fetchOne(database, sql: "PRAGMA synchronous"),
            ]
        }
        #expect(settings == ["wal", "2"])
    }

    @Test func `is read while a server has it open`() throws {
        let catalog = try Catalog(path, .create)
        try catalog.apply([.create(topic(1))])
        let reader = try Catalog(path, .read)
        #expect(try reader.load().topics.count == 1)
        try catalog.apply([.create(topic(2))])
        #expect(try reader.load().topics.count == 2)
    }

    @Test func `is not made anew where there has to be one`() throws {
        #expect(throws: CatalogError.damaged("it is missing")) { try Catalog(path, .change) }
        try folder.write([], to: "catalog.sqlite")
        #expect(throws: CatalogError.self) { try Catalog(path, .change) }
        #expect(try Catalog(path, .create).load().nextTopic == 1)
    }

    @Test func `refuses a version that it does not know`() throws {
        let catalog = try Catalog(path, .create)
        try catalog.queue.write { database in
            try database.execute(
                sql: "UPDATE meta SET value = 2, checksum = ? WHERE name = 'version'",
                arguments: [Int64(RowChecksum(name: "version", value: 2).value)]
            )
        }
        #expect(throws: CatalogError.version(2)) { try Catalog(path, .change) }
    }

    @Test func `refuses what is no catalog`() throws {
        try folder.write(Array("something else, and long enough to be looked at".utf8), to: "catalog.sqlite")
        #expect(throws: CatalogError.self) { try Catalog(path, .create) }
        try DatabaseQueue(path: folder.file("foreign")).write { try $0.execute(sql: "CREATE TABLE topics (a)") }
        #expect(throws: CatalogError.self) { try Catalog(folder.file("foreign"), .create) }
    }

    @Test func `misses rows that are gone, and rows that came back`() throws {
        for sql in [
            "DELETE FROM topics WHERE number = 1", "DELETE FROM counters", "DELETE FROM given_up",
            "DELETE FROM meta WHERE name = 'sum'",
        ] {
            let folder = try TemporaryFolder()
            let catalog = try Catalog(folder.file("c"), .create)
            try catalog.apply([.create(topic(1)), .create(topic(2)), .counter("a", 1), .giveUp(segment: 0)])
            try catalog.queue.write { try $0.execute(sql: sql) }
            #expect(throws: CatalogError.self) { try catalog.load() }
        }
    }

    @Test func `never serves what a flipped bit has changed, and names the topic`() throws {
        do {
            let catalog = try Catalog(path, .create)
            try catalog.apply((1...120).map { .create(topic($0)) } + [.counter("a", 1), .giveUp(segment: 0)])
        }
        let intact = try reopened()
        let bytes = try folder.read("catalog.sqlite")
        let written = bytes.indices.filter { bytes[$0] != 0 }
        var generator = SeededGenerator(seed: 1)
        var (found, named) = (0, 0)
        for _ in 0..<300 {
            let copy = try TemporaryFolder()
            // Most of the file is reserve.
            guard let place = written.randomElement(using: &generator) else { continue }
            var flipped = bytes
            flipped[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            try copy.write(flipped, to: "c")
            do throws(CatalogError) {
                let contents = try Catalog(copy.file("c"), .read).load()
                // Else it is in what nothing is read from.
                #expect(contents.topics == intact.topics && contents.counters == intact.counters)
                #expect(contents.nextTopic == intact.nextTopic && contents.givenUp == intact.givenUp)
            } catch {
                found += 1
                if case .damagedTopic(_, let name) = error, intact.topics.contains(where: { $0.name == name }) {
                    named += 1
                }
            }
        }
        #expect(found > 50 && named > 30)
    }
}
