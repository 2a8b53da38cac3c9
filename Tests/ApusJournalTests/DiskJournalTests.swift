import ApusBroker
import ApusProtocol
import ApusStore
import ApusTesting
import Foundation
import Testing

@testable import ApusJournal

/// A broker whose topics are in a folder, closed and opened again.
@Suite struct DiskJournalTests {
    @Test func `a folder gives back the topics, messages and offsets that it was given`() async throws {
        let folder = try JournalFolder()
        var server = try folder.open()
        try server.put("t") { $0.history = 100 }
        try server.put("quiet") { $0.durability = .memory }
        await server.publish(1...30, to: "t")
        await server.publish(1...3, to: "quiet")
        let epochs = server.epochs
        await server.stop()
        server = try folder.open()
        #expect(await server.numbers(of: "t") == Array(1...30))
        #expect(await server.numbers(of: "quiet") == [])
        #expect(server.epochs["t"] == epochs["t"])
        #expect(server.epochs["quiet"] != epochs["quiet"])
        await server.publish(31...32, to: "t")
        #expect(server.topic("t")?.publishedCount == 32)
        await server.stop()
    }

    @Test func `segments that nobody wants go, and what little others have is moved`() async throws {
        let folder = try JournalFolder()
        var server = try folder.open()
        try server.put("busy") { $0.history = 20 }
        try server.put("quiet") { $0.history = 20 }
        await server.publish(1...5, to: "quiet")
        for round in 0..<100 { await server.publish((round * 100 + 1)...(round * 100 + 100), to: "busy") }
        let figures = server.journal.figures
        // Some 0.9 MB were written to segments of 64 KiB; busy and quiet have 25 messages.
        #expect(figures.bytes > 900_000)
        #expect(figures.segments <= 8)
        #expect(figures.failures == 0)
        await server.stop()
        server = try folder.open()
        #expect(await server.numbers(of: "quiet") == Array(1...5))
        #expect(await server.numbers(of: "busy").suffix(20) == (9981...10_000).suffix(20))
        await server.stop()
    }

    @Test func `a topic of which nothing is left goes on with its next offset`() async throws {
        let folder = try JournalFolder()
        var server = try folder.open()
        try server.put("t") { $0.history = 0 }
        try server.put("other") { $0.history = 0 }
        await server.publish(1...7, to: "t")
        for round in 0..<60 { await server.publish((round * 100 + 1)...(round * 100 + 100), to: "other") }
        #expect(server.journal.figures.segments <= 4)
        await server.stop()
        server = try folder.open()
        #expect(server.topic("t")?.publishedCount == 7)
        await server.publish(8...8, to: "t")
        #expect(server.topic("t")?.publishedCount == 8)
        await server.stop()
    }

    @Test func `what was purged does not come back, and its room is free`() async throws {
        let folder = try JournalFolder()
        var server = try folder.open()
        try server.put("t") { $0.history = 100_000 }
        try server.put("other") { $0.history = 100 }
        // Small records that follow each other are joined at the next start, across the place where the purge ends.
        for number in 1...40 { await server.publish(number...number, to: "t") }
        #expect(try await server.loop.broker.purgeTopic(named: "t", now: 0) == 40)
        for number in 41...80 { await server.publish(number...number, to: "t") }
        #expect(await server.numbers(of: "t") == Array(41...80))
        await server.stop()
        for _ in 0..<2 {
            server = try folder.open()
            #expect(await server.numbers(of: "t") == Array(41...80))
            let topic = try #require(server.topic("t"))
            #expect(topic.inspect(now: 0).first == 41 && topic.publishedCount == 80)
            await server.stop()
        }
        server = try folder.open()
        #expect(try await server.loop.broker.purgeTopic(named: "t", now: 0) == 40)
        for round in 0..<60 { await server.publish((round * 100 + 1)...(round * 100 + 100), to: "other") }
        let topic = try #require(server.topic("t"))
        #expect(server.journal.holding(of: topic) == JournalHolding())
        await server.stop()
        server = try folder.open()
        #expect(server.topic("t")?.publishedCount == 80)
        #expect(await server.numbers(of: "t") == [])
        await server.stop()
    }

    @Test func `a purge makes room where data_bytes leaves none`() async throws {
        let folder = try JournalFolder()
        let server = try folder.open(dataBytes: 200_000)
        try server.put("t") { $0.history = 100_000 }
        for round in 0..<30 { await server.publish((round * 100 + 1)...(round * 100 + 100), to: "t") }
        let topic = try #require(server.topic("t"))
        let taken = topic.publishedCount
        #expect(server.journal.figures.failures > 0)
        #expect(try await server.loop.broker.purgeTopic(named: "t", now: 0) == taken)
        await server.publish(1...10, to: "t")
        await server.publish(1...10, to: "t")
        #expect(topic.publishedCount > taken)
        #expect(server.journal.failure == nil)
        await server.stop()
    }

    @Test func `a topic that is deleted while it is purged harms nobody`() async throws {
        let folder = try JournalFolder()
        let server = try folder.open()
        for _ in 0..<20 {
            try server.put("t") { $0.history = 100 }
            await server.publish(1...5, to: "t")
            let broker = server.loop.broker
            async let purged = try? broker.purgeTopic(named: "t", now: 0)
            try broker.deleteTopic(named: "t")
            _ = await purged
        }
        #expect(server.journal.failure == nil && server.journal.figures.failures == 0)
        await server.stop()
    }

    @Test func `a bound on the disk refuses what is too much, until history lets go`() async throws {
        let folder = try JournalFolder()
        let server = try folder.open(dataBytes: 200_000)
        try server.put("t") { $0.history = 100_000 }
        for round in 0..<30 { await server.publish((round * 100 + 1)...(round * 100 + 100), to: "t") }
        let topic = try #require(server.topic("t"))
        let taken = topic.publishedCount
        #expect((500..<2500).contains(taken))
        #expect(server.journal.figures.failures > 0)
        #expect(server.journal.failure == nil)
        try server.put("t") { $0.history = 10 }
        await server.publish(1...10, to: "t")
        await server.publish(1...10, to: "t")
        #expect(topic.publishedCount > taken)
        await server.stop()
    }

    @Test func `deleted topics leave nothing behind, and their successors begin anew`() async throws {
        let folder = try JournalFolder()
        var server = try folder.open()
        for _ in 0..<3 {
            try server.put("t") { $0.history = 100 }
            await server.publish(1...10, to: "t")
            try server.loop.broker.deleteTopic(named: "t")
            await server.stop()
            server = try folder.open()
            #expect(server.topic("t") == nil)
        }
        try server.put("t") { $0.history = 100 }
        #expect(server.topic("t")?.publishedCount == 0)
        await server.stop()
    }
}

/// A folder for one test, removed with it.
final class JournalFolder {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "apus-journal-\(UUID().uuidString)"
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func open(dataBytes: Int = 0) throws -> JournalServer {
        let clock = ManualClock()
        let opened = try DiskJournal.open(
            path,
            history: 100,
            dataBytes: dataBytes,
            segmentSize: 64 << 10,
            lead: clock.lead
        )
        let loop = ManualLoop(journal: opened.journal)
        loop.broker.restore(opened.topics, lastNumber: opened.lastNumber, now: clock.moment)
        return JournalServer(loop: loop, journal: opened.journal)
    }
}

struct JournalServer {
    let loop: ManualLoop
    let journal: DiskJournal

    func topic(_ name: String) -> Topic? { loop.broker.topic(named: name) }

    var epochs: [String: String] { Dictionary(uniqueKeysWithValues: loop.broker.topics.map { ($0.name, $0.epoch) }) }

    func put(_ name: String, _ change: (inout TopicSettings) -> Void) throws {
        _ = try loop.broker.putTopic(named: name, change: change)
    }

    /// Publishes numbers, and waits until they are kept or refused.
    func publish(_ numbers: ClosedRange<Int>, to name: String) async {
        guard let topic = topic(name) else { return }
        for number in numbers {
            var text = "{\"number\":\(number)}"
            text.withUTF8 { text in
                _ = loop.hubs[0].publish(
                    UnsafeRawBufferPointer(text),
                    to: topic,
                    time: Timestamp(loop.clock.moment),
                    origin: 0
                )
            }
        }
        loop.runUntilIdle()
        // The journal answers after what it was told before.
        await journal.settled()
        loop.runUntilIdle()
    }

    func numbers(of name: String) async -> [Int] {
        let page = try? await topic(name)?.fullPage(from: .all, limit: 100_000, now: loop.clock.now)
        guard let page else { return [] }
        return page.entries.compactMap { entry in
            Int(String(decoding: entry.message, as: UTF8.self).dropFirst(#"{"number":"#.count).dropLast())
        }
    }

    func stop() async { await journal.stop() }
}
