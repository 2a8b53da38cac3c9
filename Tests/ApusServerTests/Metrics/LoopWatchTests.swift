import Testing

@testable import ApusServer

/// A server is alive until one of its loops has been silent for the timeout.
@Suite struct LoopWatchTests {
    private let watch = LoopWatch(loops: 3, timeout: 10_000, tickInterval: 1000, now: 0)

    private func beat(_ loops: [Int], now: Int64) {
        for loop in loops { watch.beats[loop].beat(now: now) }
    }

    @Test func `loops that have not ticked yet have the timeout to begin`() {
        #expect(watch.isAlive(now: 0))
        #expect(watch.isAlive(now: 9999))
        #expect(!watch.isAlive(now: 10_000))
    }

    @Test func `loops that tick are alive for as long as they do`() {
        for second in 1...100 {
            beat([0, 1, 2], now: Int64(second) * 1000)
            #expect(watch.isAlive(now: Int64(second) * 1000 + 999))
        }
    }

    @Test func `one missed beat is no failure, nor are several within the timeout`() {
        beat([0, 1, 2], now: 1000)
        #expect(watch.isAlive(now: 3000))
        #expect(watch.isAlive(now: 10_999))
        beat([0, 1, 2], now: 10_999)
        #expect(watch.isAlive(now: 20_998))
    }

    @Test func `one loop that is stuck is enough, and is named`() {
        for second in 1...12 { beat([0, 2], now: Int64(second) * 1000) }
        #expect(!watch.isAlive(now: 12_000))
        #expect(watch.stuckLoops(now: 12_000) == [1])
    }

    @Test func `a loop that beats again is alive again`() {
        beat([0, 1, 2], now: 1000)
        #expect(!watch.isAlive(now: 11_000))
        beat([0, 1], now: 11_000)
        #expect(watch.stuckLoops(now: 11_000) == [2])
        beat([2], now: 11_001)
        #expect(watch.isAlive(now: 11_001))
    }

    @Test func `a beat after the moment that is asked about counts as one`() {
        beat([0, 1, 2], now: 5000)
        #expect(watch.isAlive(now: 4999))
    }

    @Test func `however short the timeout, two late ticks are allowed`() {
        let watch = LoopWatch(loops: 1, timeout: 1, tickInterval: 1000, now: 0)
        #expect(watch.isAlive(now: 2999))
        #expect(!watch.isAlive(now: 3000))
    }

    @Test func `a timeout of 0 is off`() {
        let watch = LoopWatch(loops: 1, timeout: 0, tickInterval: 1000, now: 0)
        #expect(watch.isAlive(now: .max))
    }

    @Test func `a server without loops is alive`() {
        #expect(LoopWatch(loops: 0, timeout: 1, tickInterval: 1, now: 0).isAlive(now: 1_000_000))
    }
}
