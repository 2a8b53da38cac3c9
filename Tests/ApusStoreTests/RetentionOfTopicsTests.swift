import ApusStore
import Testing

@testable import ApusStore

/// What of a topic's records is kept.
@Suite struct RetentionOfTopicsTests {
    /// Ten records of one message and 100 bytes each, one second apart.
    private func table() -> SegmentTable {
        var table = SegmentTable()
        for number in 1...10 { table.append(record(number), of: 1) }
        return table
    }

    private func record(_ number: Int, size: Int = 100) -> RecordPlace {
        RecordPlace(
            first: UInt64(number),
            count: 1,
            newestTime: Int64(number) * 1000,
            segment: 1,
            place: number * ((size + 7) & ~7),
            size: size
        )
    }

    private static let bounds: [(Retention, UInt64?)] = [
        (Retention(history: 4), 4), (Retention(history: 0, oldest: 6500), 7), (Retention(history: 0, bytes: 250), 8),
        (Retention(history: 0, bytes: 1), 10), (Retention(history: 7, oldest: 3000, bytes: 500), 7),
        (Retention(history: 11), nil),
    ]

    @Test(arguments: bounds)
    func `history is bound by number, age and bytes`(retention: Retention, first: UInt64?) {
        var table = table()
        let kept = table.retain(1, retention)
        #expect(kept?.first == first)
        #expect(kept?.history == first)
    }

    @Test func `many small records take no more memory than large ones, and history is exact to a small part`() throws {
        var table = SegmentTable()
        let count = 60_000
        for number in 1...count { table.append(record(number, size: 296), of: 1) }
        #expect(table.records(of: 1).count < 2000)
        #expect(table.records(of: 1).reduce(0) { $0 + Int($1.count) } == count)
        #expect(table.wantedSize == count * 296)
        let asked = 5 << 20
        let kept = table.retain(1, Retention(history: 0, bytes: asked))
        let left = (count + 1 - Int(try #require(kept).history)) * 296
        #expect(left >= asked && left < asked + TopicRecords.mostJoined)
        #expect(table.wantedSize == left)
    }

    @Test func `what somebody needs is kept, up to a bound, and is no history`() {
        var table = table()
        let kept = table.retain(1, Retention(history: 8, needed: 2))
        #expect(kept?.first == 2 && kept?.history == 8)
        let bound = table.retain(1, Retention(history: 8, needed: 2, neededBytes: 600))
        #expect(bound?.first == 5 && bound?.history == 8)
        table.append(record(11), of: 1)
        let last = table.retain(1, Retention(history: 9))
        #expect(last?.first == 9 && last?.history == 9)
    }

    @Test func `history reaches further again where what it wants is still there`() {
        var table = table()
        _ = table.retain(1, Retention(history: 8, needed: 3))
        let kept = table.retain(1, Retention(history: 5, needed: 3))
        #expect(kept?.first == 3 && kept?.history == 5)
    }
}
