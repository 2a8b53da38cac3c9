import Foundation
import NIOCore
import Testing

@testable import ApusServer

@Suite struct SampleRingTests {
    private func point(_ value: Double) -> SamplePoint {
        var point = SamplePoint()
        point[.publishes] = value
        return point
    }

    private func object(_ write: (inout ByteBuffer) -> Void) throws -> [String: Any] {
        var body = ByteBuffer()
        write(&body)
        return try #require(
            try JSONSerialization.jsonObject(with: Data(body.readableBytesView)) as? [String: Any],
            "\(String(buffer: body))"
        )
    }

    @Test func `the last 900 points are kept, the oldest first`() {
        var ring = SampleRing()
        for number in 1...SampleRing.capacity { ring.add(point(Double(number)), at: Int64(number) * 1000) }
        #expect(ring.all.map { Int($0[.publishes]) } == Array(1...900))
        for number in 901...1000 { ring.add(point(Double(number)), at: Int64(number) * 1000) }
        #expect(ring.count == 900)
        #expect(ring.all.map { Int($0[.publishes]) } == Array(101...1000))
    }

    @Test func `seconds without a sample are gaps, but not before the first`() {
        var ring = SampleRing()
        ring.add(point(1), at: 1000, missed: 5)
        #expect(ring.count == 1)
        ring.add(point(2), at: 4000, missed: 2)
        #expect(ring.all.map { $0[.publishes].isNaN } == [false, true, true, false])
        ring.add(point(3), at: 9_000_000, missed: 1_000_000_000)
        #expect(ring.count == 900)
        #expect(ring.all.filter { !$0[.publishes].isNaN }.map { $0[.publishes] } == [3])
    }

    @Test func `it is written as a list for each series`() throws {
        var ring = SampleRing()
        var first = point(1.25)
        first[.cpu] = 0.0625
        ring.add(first, at: 1_795_255_200_123)
        ring.add(point(2), at: 1_795_255_202_123, missed: 1)
        let object = try object { ring.write(to: &$0) }
        #expect(object["from"] as? String == "2026-11-21T10:00:00.123Z")
        #expect(object["step_ms"] as? Int == 1000)
        let series = try #require(object["series"] as? [String: [Any]])
        #expect(Set(series.keys) == Set(Series.allCases.map(\.name)))
        #expect(series["publishes"]?.map { $0 as? Double } == [1.3, nil, 2])
        #expect(series["cpu"]?.map { $0 as? Double } == [0.063, nil, nil])
        #expect(series.values.allSatisfy { $0.count == 3 })
    }

    @Test func `an empty ring is written, too`() throws {
        let series = try #require(try object { SampleRing().write(to: &$0) }["series"] as? [String: [Any]])
        #expect(series.values.allSatisfy { $0.isEmpty })
    }

    @Test(arguments: [
        (0.0, 1, "0"), (1.0, 1, "1"), (1.25, 1, "1.3"), (-1.25, 1, "-1.3"), (0.04, 1, "0"),
        (123_456_789.0, 0, "123456789"),
        (0.0004, 3, "0"), (0.1239, 3, "0.124"), (.nan, 1, "null"), (.infinity, 0, "null"),
    ])
    func `a number has so many places at most`(value: Double, decimals: Int, text: String) {
        var body = ByteBuffer()
        body.writeNumber(value, decimals: decimals)
        #expect(String(buffer: body) == text)
    }

    // MARK: One sample

    private func totals(_ seconds: Double, count: UInt64) -> ServerTotals {
        var totals = ServerTotals()
        totals.taken = Int64(seconds * 1e9)
        (totals.published, totals.delivered, totals.dropped) = (count, 10 * count, count / 2)
        (totals.bytesIn, totals.bytesOut) = (100 * count, 1000 * count)
        (totals.connections, totals.subscriptions, totals.topics, totals.memory) = (3, 4, 5, 6)
        totals.processor = Int64(seconds * 0.25e9)
        totals.loops = [.init(busy: Int64(seconds * 0.1e9), connections: 2), .init(busy: 0, connections: 1)]
        return totals
    }

    @Test func `rates are the difference to the sample before, over the time between`() {
        let sample = Sample(totals(12, count: 400), after: totals(10, count: 100), at: 0)
        #expect(sample.point[.publishes] == 150)
        #expect(sample.point[.deliveries] == 1500)
        #expect(sample.point[.drops] == 75)
        #expect(sample.point[.bytesIn] == 15_000)
        #expect(sample.point[.bytesOut] == 150_000)
        #expect(sample.point[.connections] == 3)
        #expect(sample.point[.cpu] == 0.25)
        #expect(sample.point[.commits].isNaN)
        #expect(sample.loops.map(\.busy) == [0.1, 0])
        #expect(sample.loops.map(\.connections) == [2, 1])
    }

    @Test func `no rate is below zero, and no loop is shown if one could not be asked`() throws {
        var before = totals(10, count: 100)
        before.loops.removeLast()
        before.commits = 7
        var after = totals(10, count: 50)
        after.commits = 9
        after.diskBytes = 1 << 20
        let sample = Sample(after, after: before, at: 1_795_255_200_123)
        #expect(sample.point[.publishes] == 0)
        #expect(sample.point[.commits] > 0)
        #expect(sample.loops.isEmpty)
        let object = try object { sample.write(to: &$0, memoryLimit: 0, disk: ("/a\"b", nil)) }
        #expect(object["at"] as? String == "2026-11-21T10:00:00.123Z")
        #expect(object["memory_limit"] is NSNull)
        let disk = try #require(object["disk"] as? [String: Any])
        #expect(disk["bytes"] as? Int == 1 << 20 && disk["free"] is NSNull && disk["path"] as? String == "/a\"b")
    }
}
