import Testing

@testable import ApusVerify

@Suite("A sequence tracker")
struct SequenceTrackerTests {
    @Test func `tells order, gaps, late ones and repeats apart`() {
        var tracker = SequenceTracker(next: 1)
        #expect(tracker.see(1) == .inOrder)
        #expect(tracker.see(5) == .ahead(missing: 3))
        #expect(tracker.missing == 3)
        #expect(tracker.see(3) == .late)
        #expect(tracker.gaps == [2..<3, 4..<5])
        #expect(tracker.see(3) == .repeated)
        #expect(tracker.see(1) == .repeated)
        #expect(tracker.see(2) == .late)
        #expect(tracker.see(4) == .late)
        #expect(tracker.missing == 0)
        #expect(tracker.see(6) == .inOrder)
    }

    @Test func `goes on after what was announced`() {
        var tracker = SequenceTracker(next: 10)
        #expect(tracker.skip(through: 12) == 3)
        #expect(tracker.skip(through: 5) == 0)
        #expect(tracker.see(13) == .inOrder)
        #expect(tracker.missing == 0)
    }

    @Test func `keeps a bounded number of gaps and counts the rest`() {
        var tracker = SequenceTracker(next: 0)
        for number in 1...1_000 { _ = tracker.see(number * 2) }
        #expect(tracker.gaps.count == 64)
        #expect(tracker.missing == 1_001)
    }
}

@Suite("Recovery times")
struct RecoveryTimesTests {
    @Test(arguments: [0, 1, 7, 8, 9, 100, 12_345, 3_600_000_000])
    func `give quantiles within an eighth`(value: Int) throws {
        var times = RecoveryTimes()
        #expect(times.quantile(0.5) == nil)
        times.record(microseconds: value)
        let quantile = try #require(times.quantile(0.99))
        #expect(quantile >= value)
        #expect(Double(quantile) <= Double(value) * 1.125 + 1)
    }

    @Test func `take the value at the rank`() throws {
        var times = RecoveryTimes()
        for value in 1...100 { times.record(microseconds: value < 99 ? 2 : 1_000) }
        #expect(times.quantile(0.5) == 2)
        #expect(try #require(times.quantile(0.99)) >= 1_000)
        #expect(times.count == 100)
    }
}
