import Testing

@testable import ApusProtocol

@Suite struct TokenBucketTests {
    private func limit(_ rate: Rate, burst: Int = 0) throws -> RateLimit {
        try #require(RateLimit(rate, burst: burst))
    }

    @Test func `a new bucket holds the burst, and then the rate`() throws {
        let limit = try limit(Rate(10), burst: 3)
        var bucket = TokenBucket()
        let waits = (1...4).map { _ in bucket.takeIfThere(1, limit, now: 1000) }
        #expect(waits == [nil, nil, nil, 100])
        #expect(bucket.takeIfThere(1, limit, now: 1099) == 1)
        #expect(bucket.takeIfThere(1, limit, now: 1100) == nil)
        #expect(bucket.takeIfThere(1, limit, now: 1100) == 100)
        #expect(bucket.takeIfThere(3, limit, now: 1200) == 200)
        #expect(bucket.takeIfThere(3, limit, now: 1400) == nil)
    }

    @Test func `a pause fills the bucket, and no more than that`() throws {
        let limit = try limit(Rate(1, per: .hour), burst: 2)
        var bucket = TokenBucket()
        #expect(bucket.takeIfThere(2, limit, now: 0) == nil)
        #expect(bucket.takeIfThere(1, limit, now: 0) == 3_600_000)
        #expect(bucket.isFull(limit, now: 7_199_999) == false)
        #expect(bucket.isFull(limit, now: 7_200_000) == true)
        #expect(bucket.takeIfThere(2, limit, now: 1_000_000_000) == nil)
        #expect(bucket.takeIfThere(1, limit, now: 1_000_000_000) == 3_600_000)
    }

    @Test func `what is larger than the bucket passes when that is full, and is made up for`() throws {
        let limit = try limit(Rate(10), burst: 10)
        var bucket = TokenBucket()
        #expect(bucket.takeIfThere(1, limit, now: 0) == nil)
        #expect(bucket.takeIfThere(100, limit, now: 0) == 100)
        #expect(bucket.takeIfThere(100, limit, now: 100) == nil)
        #expect(bucket.takeIfThere(1, limit, now: 100) == 9100)
        #expect(bucket.takeIfThere(100, limit, now: 100) == 10_000)
    }

    @Test func `what is given back can be taken again, and does not exceed the burst`() throws {
        let limit = try limit(Rate(1, per: .hour), burst: 3)
        var bucket = TokenBucket()
        bucket.giveBack(5)
        #expect(bucket.takeIfThere(3, limit, now: 0) == nil)
        bucket.giveBack(2)
        #expect(bucket.takeIfThere(2, limit, now: 0) == nil)
        #expect(bucket.takeIfThere(1, limit, now: 0) != nil)
        bucket.giveBack(100)
        #expect(bucket.takeIfThere(3, limit, now: 0) == nil)
        #expect(bucket.takeIfThere(1, limit, now: 0) != nil)
    }

    @Test func `a clock that goes back adds nothing and takes nothing`() throws {
        let limit = try limit(Rate(1), burst: 2)
        var bucket = TokenBucket()
        #expect(bucket.takeIfThere(2, limit, now: 10_000) == nil)
        #expect(bucket.takeIfThere(1, limit, now: 0) == 1000)
        #expect(bucket.takeIfThere(1, limit, now: 10_999) == 1)
        #expect(bucket.takeIfThere(1, limit, now: 11_000) == nil)
    }

    @Test func `another limit applies at once to what is left`() throws {
        let (small, large) = (try limit(Rate(1), burst: 2), try limit(Rate(10), burst: 20))
        var bucket = TokenBucket()
        #expect(bucket.takeIfThere(15, large, now: 0) == nil)
        #expect(bucket.takeIfThere(3, small, now: 0) == nil)
        #expect(bucket.takeIfThere(1, small, now: 0) == 2000)
        #expect(bucket.takeIfThere(1, large, now: 0) == 200)
    }

    @Test func `the largest numbers do not overflow`() throws {
        let limit = try limit(Rate(.max), burst: .max)
        var bucket = TokenBucket()
        for now in [0, Int64.max / 2, .max] {
            _ = bucket.takeIfThere(.max, limit, now: now)
            bucket.take(.max, limit, now: now)
            bucket.take(.max, limit, now: now)
            #expect(bucket.wait(for: .max, limit, now: now) > 0)
            #expect(bucket.isFull(limit, now: now) == false)
        }
        bucket.giveBack(.max)
        bucket.giveBack(.max)
        bucket.giveBack(.max)
        #expect(bucket.takeIfThere(1, limit, now: .max) == nil)
    }

    @Test(arguments: 1...50 as ClosedRange<UInt64>)
    func `over any time no more is taken than the burst, the rate and one excess`(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let interval = try #require(Rate.Interval.allCases.randomElement(using: &generator))
        let rate = Rate(Int.random(in: 1...200, using: &generator), per: interval)
        let limit = try limit(rate, burst: Int.random(in: 0...30, using: &generator))
        var bucket = TokenBucket()
        var now: Int64 = .random(in: -1000...1_000_000, using: &generator)
        var taken: [(time: Int64, count: Int)] = []
        for _ in 1...200 {
            let span: Int64 = [0, 3, 50, 2000, 90_000].randomElement(using: &generator) ?? 0
            now += .random(in: 0...span, using: &generator)
            let count = Int.random(in: 0...40, using: &generator)
            guard let wait = bucket.takeIfThere(count, limit, now: now) else {
                taken.append((now, count))
                continue
            }
            // It passes after that time, and not before.
            var (early, late) = (bucket, bucket)
            #expect(early.takeIfThere(count, limit, now: now + wait - 1) == 1, "seed \(seed)")
            #expect(late.takeIfThere(count, limit, now: now + wait) == nil, "seed \(seed)")
        }
        let excess = max((taken.map(\.count).max() ?? 0) - limit.burst, 0)
        for (index, first) in taken.enumerated() {
            var sum = 0
            for last in taken[index...] {
                sum += last.count
                let allowed = (limit.burst + excess) * 3_600_000 + Int(last.time - first.time) * rate.perHour
                #expect(sum * 3_600_000 <= allowed, "seed \(seed)")
            }
        }
    }
}
