import ApusProtocol
import Foundation
import Testing

@testable import ApusServer

/// When memory is given back. The clock ticks each second; what is given is the processor time of the second before.
@Suite struct QuietWatchTests {
    /// The seconds after which memory is given back.
    private func times(patience: Int64 = 3000, _ work: [Int64]) -> [Int] {
        var watch = QuietWatch(patience: patience, now: 0, processorTime: 100)
        var total: Int64 = 100
        return work.indices.filter { second in
            total += work[second]
            return watch.isTime(now: Int64(second + 1) * 1000, processorTime: total)
        }
    }

    @Test func `memory goes back when the server has been quiet for as long as it is to be`() {
        #expect(times([900, 900, 10, 10, 10, 10, 10, 10]) == [4])
        #expect(times([900, 10, 10, 51, 10, 10, 10, 10]) == [6])
    }

    @Test func `it goes back once for each time that the server has worked`() {
        #expect(times([900] + Array(repeating: 1, count: 100)) == [3])
        #expect(times([900, 1, 1, 1, 900, 1, 1, 1, 1]) == [3, 7])
    }

    @Test func `a server that is busy all the time keeps it, and so does one that does nothing`() {
        #expect(times(Array(repeating: 60, count: 100)).isEmpty)
        #expect(times(Array(repeating: 1, count: 100)).isEmpty)
    }

    @Test func `work that was never much at once adds up`() {
        #expect(times(Array(repeating: 40, count: 12)) == [4, 9])
    }

    @Test func `without patience it is for ever`() {
        #expect(times(patience: 0, [900, 1, 1, 1, 1]).isEmpty)
    }
}

@Suite struct ServerClockTests {
    @Test func `the wall clock's time is the system's, and the other never goes back`() {
        let before = Int64((Date().timeIntervalSince1970 * 1000).rounded(.down))
        var last = ServerClock.now
        for _ in 0..<10_000 {
            let now = ServerClock.now
            #expect(now.steady >= last.steady && now.wall >= last.wall)
            last = now
        }
        let after = Int64((Date().timeIntervalSince1970 * 1000).rounded(.up))
        #expect((before...after).contains(last.wall))
    }

    @Test func `the two are as far apart on all threads`() async {
        let lead = ServerClock.now.wall - ServerClock.now.steady
        await withTaskGroup(of: Int64.self) { group in
            for _ in 0..<8 { group.addTask { ServerClock.now.wall - ServerClock.now.steady } }
            for await other in group { #expect(abs(other - lead) <= 20) }
        }
    }
}
