import ApusProtocol
import Foundation
import Logging
import Synchronization
import Testing

@testable import ApusServer

@Suite struct RecentLogTests {
    private let recent = RecentLog { Timestamp(milliseconds: 1_795_255_200_123) }

    private func add(_ message: String, _ metadata: Logger.Metadata = [:]) {
        recent.add(.warning, label: "test", message, metadata)
    }

    private func objects(after id: UInt64 = 0) throws -> [[String: Any]] {
        try recent.entries(after: id).map { entry in
            try #require(try JSONSerialization.jsonObject(with: Data(entry.json.utf8)) as? [String: Any])
        }
    }

    @Test func `a record is JSON with all its values as texts`() throws {
        add("a \"b\"\n", ["n": "1", "list": ["x", "y"], "connection": ["id": "5"], "e\u{1}": "\u{7}"])
        let object = try #require(try objects().first)
        #expect(object["id"] as? Int == 1)
        #expect(object["at"] as? String == "2026-11-21T10:00:00.123Z")
        #expect(object["level"] as? String == "warning" && object["label"] as? String == "test")
        #expect(object["message"] as? String == "a \"b\"\n")
        let expected = ["n": "1", "list": "[x, y]", "connection.id": "5", "e\u{1}": "\u{7}"]
        #expect(object["metadata"] as? [String: String] == expected)
    }

    @Test func `all are counted by their level, those too that are forgotten`() {
        for _ in 1...2600 { add("warning") }
        recent.add(.error, label: "test", "error", [:])
        recent.add(.critical, label: "test", "critical", [:])
        #expect(recent.counts == RecentLog.Counts(warnings: 2600, errors: 1, criticals: 1))
    }

    @Test func `the last thousand are kept, under ids that go on`() {
        for number in 1...2600 { add("\(number)") }
        #expect(recent.entries().map(\.id) == Array(1601...2600))
        #expect(recent.entries(after: 2598).map(\.id) == [2599, 2600])
        #expect(recent.entries(after: 0, limit: 2).map(\.id) == [1601, 1602])
        #expect(recent.entries(after: 1700, limit: 1).map(\.id) == [1701])
        #expect(recent.entries(after: 2600).isEmpty)
        #expect(recent.entries(after: .max).isEmpty)
    }

    @Test func `large records push out others, and are cut`() throws {
        let values = Dictionary(uniqueKeysWithValues: (0..<50).map { ("k\($0)", Logger.MetadataValue.string("v")) })
        add(String(repeating: "é", count: 10_000), values)
        let object = try #require(try objects().first)
        #expect((object["message"] as? String)?.unicodeScalars.count == RecentLog.longestText + 1)
        #expect((object["metadata"] as? [String: String])?.count == RecentLog.maxValues)
        for _ in 1...999 { add(String(repeating: "x", count: 5000)) }
        let kept = recent.entries()
        #expect(kept.last?.id == 1000 && kept.count < 600)
        #expect(kept.reduce(0) { $0 + $1.json.utf8.count } <= RecentLog.maxBytes)
        #expect(kept.map(\.id) == Array((1001 - UInt64(kept.count))...1000))
    }

    // MARK: The logger

    private final class Lines: Sendable {
        private let storage = Mutex<[String]>([])
        var all: [String] { storage.withLock { $0 } }
        func add(_ text: String) { storage.withLock { $0.append(text) } }
    }

    @Test func `a logger passes everything on and keeps warnings, whatever its level`() throws {
        let (lines, level) = (Lines(), LogLevel(.error))
        var logger = Logger(label: "test") { _ in
            LogOutput(format: .text, level: level, now: { Timestamp(milliseconds: 0) }, write: lines.add)
        }.keepingWarnings()
        logger[metadataKey: "a"] = "1"
        logger.info("no")
        logger.warning("kept only", metadata: ["b": "2"])
        logger.error("both")
        let kept = try #require(logger.recent).entries().map(\.json)
        #expect(kept.count == 2 && kept[0].contains(#""metadata":{"a":"1","b":"2"}"#))
        #expect(lines.all.count == 1 && lines.all[0].hasSuffix(" error both a=1\n"))
        // The level that all loggers share may change, and a copy may have its own.
        level.value = .debug
        logger.debug("written")
        #expect(lines.all.count == 2)
        var quiet = logger
        quiet.logLevel = .critical
        quiet.error("nowhere")
        #expect(lines.all.count == 2 && logger.recent?.entries().count == 2)
        #expect(logger.keepingWarnings().recent === logger.recent)
    }

    // MARK: Seats

    @Test func `there are so many seats, and a seat is free when nobody has it any more`() async {
        let seats = ConsoleSeats()
        var held = [seats.take(limit: 2, client: "a"), seats.take(limit: 2, client: "a")]
        #expect(held.allSatisfy { $0 != nil } && seats.take(limit: 2, client: "a") == nil)
        held.removeLast()
        #expect(seats.count == 1)
        let next = seats.take(limit: 2, client: "a")
        #expect(next != nil && seats.count == 2)
        #expect(seats.take(limit: 0, client: "a") == nil)
        withExtendedLifetime((held, next)) {}
    }

    @Test func `one client has a quarter of the seats at most`() {
        let seats = ConsoleSeats()
        var held = (0..<16).map { _ in seats.take(limit: 64, client: "a") }
        #expect(held.allSatisfy { $0 != nil } && seats.take(limit: 64, client: "a") == nil)
        let other = seats.take(limit: 64, client: "b")
        #expect(other != nil)
        held.removeLast()
        let again = seats.take(limit: 64, client: "a")
        #expect(again != nil)
        withExtendedLifetime((held, other, again)) {}
    }

    @Test func `who is busy gets one tick for many, and the end`() async throws {
        let seats = ConsoleSeats()
        let seat = try #require(seats.take(limit: 1, client: "a"))
        for _ in 0..<5 { seats.tick() }
        seats.end()
        var ticks = 0
        for await _ in seat.ticks { ticks += 1 }
        #expect(ticks == 1)
        // Those that still come end at once.
        let late = try #require(seats.take(limit: 2, client: "a"))
        for await _ in late.ticks { ticks += 1 }
        #expect(ticks == 1)
    }
}
