import ApusClient
import ApusLoad
import Testing

@testable import apus

@Suite struct BenchLoopsTests {
    private func loops(_ buckets: [(loop: String, below: [Int], sum: Double)], held: Int = 0) -> BenchLoops? {
        var text = "# TYPE apus_loop_lag_seconds histogram\napus_publishes_held_total \(held)\n"
        for (loop, below, sum) in buckets {
            for (bound, count) in zip(["0.001", "0.1", "+Inf"], below) {
                text += "apus_loop_lag_seconds_bucket{loop=\"\(loop)\",le=\"\(bound)\"} \(count)\n"
            }
            text += "apus_loop_lag_seconds_sum{loop=\"\(loop)\"} \(sum)\n"
        }
        return BenchLoops(ScrapedMetrics(text: text))
    }

    @Test func `lag and held publishes are those of the run, of all loops that serve clients`() throws {
        let before = try #require(loops([("socket-0", [5, 5, 5], 1), ("socket-1", [0, 0, 9], 90)], held: 7))
        let after = try #require(
            loops(
                [
                    ("socket-0", [105, 107, 107], 1.2), ("socket-1", [98, 98, 107], 90.2), ("http-0", [0, 0, 50], 999),
                ],
                held: 10
            )
        )
        let run = after.since(before)
        #expect(run.count == 2 && run.heldPublishes == 3)
        #expect(abs(run.meanLag - 0.4 / 200 * 1e6) < 0.001)
        #expect(run.p99LagAtMost == 1000)
    }

    @Test func `the bound of p99 is that of the bucket it falls in, and none beyond the last`() throws {
        let before = try #require(loops([("socket-0", [0, 0, 0], 0)]))
        #expect(try #require(loops([("socket-0", [98, 100, 100], 1)])).since(before).p99LagAtMost == 100_000)
        #expect(try #require(loops([("socket-0", [90, 90, 100], 1)])).since(before).p99LagAtMost == nil)
    }

    @Test func `a server without such metrics says nothing`() {
        #expect(loops([]) == nil)
        #expect(BenchLoops(ScrapedMetrics(text: "up 1\n")) == nil)
    }
}
