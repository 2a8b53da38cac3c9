import Testing

@testable import ApusCluster

/// The ids that a topic of a cluster recognizes.
@Suite struct RecentIDsTests {
    @Test func `an id that is published again after its time is known from then on`() {
        var ids = RecentIDs()
        ids.window = 120
        ids.insert("x", at: 1, time: 0, limit: 10)
        ids.insert("x", at: 2, time: 180, limit: 10)
        #expect(ids.offset(of: "x", now: 190) == 2)
        #expect(ids.offset(of: "x", now: 301) == nil)
    }

    @Test func `the oldest ids are forgotten beyond the limit`() {
        var ids = RecentIDs()
        ids.window = 1000
        for number in 1...3 { ids.insert("\(number)", at: UInt64(number), time: 0, limit: 2) }
        #expect(ids.offset(of: "1", now: 0) == nil)
        #expect(ids.offset(of: "3", now: 0) == 3)
    }
}
