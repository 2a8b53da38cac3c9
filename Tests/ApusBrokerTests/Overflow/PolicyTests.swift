import ApusProtocol
import Testing

@testable import ApusBroker

/// What each policy decides, without a hub: all its states, one row each.
@Suite struct PolicyTests {
    /// A policy whose queue holds 10 messages.
    private static func overflow(_ policy: OverflowPolicy, queue: Int = 10) -> Overflow {
        Overflow(SubscriptionOptions(queue: queue, overflow: policy))
    }

    /// The head is at 100.
    private static func backlog(_ lag: UInt64, cursor: Offset = 1, mayWarn: Bool = false) -> Overflow.Backlog {
        Overflow.Backlog(cursor: cursor, head: 100, lag: lag, mayWarn: mayWarn)
    }

    struct Row: CustomTestStringConvertible {
        let policy: OverflowPolicy
        let lag: UInt64
        let action: Overflow.Action?

        var testDescription: String { "\(policy.rawValue), \(lag) behind" }
    }

    @Test(arguments: OverflowPolicy.allCases, [UInt64(0), 1, 9, 10])
    func `up to its bound nothing is done`(policy: OverflowPolicy, lag: UInt64) {
        #expect(Self.overflow(policy).excess(of: Self.backlog(lag)) == nil)
    }

    @Test(arguments: [
        Row(policy: .dropOldest, lag: 11, action: .skip(to: 90, cause: .queue)),
        Row(policy: .dropOldest, lag: 99, action: .skip(to: 90, cause: .queue)),
        Row(policy: .dropNewest, lag: 11, action: .skipNewest(1)),
        Row(policy: .dropNewest, lag: 99, action: .skipNewest(89)),
        Row(policy: .latest, lag: 11, action: .countLive(bound: 10)),
        Row(policy: .disconnect, lag: 11, action: .disconnect),
        Row(policy: .disconnect, lag: 99, action: .disconnect),
        Row(policy: .throttle, lag: 99, action: nil),
    ])
    func `beyond its bound each policy does its own`(row: Row) {
        #expect(Self.overflow(row.policy).excess(of: Self.backlog(row.lag)) == row.action)
    }

    @Test(arguments: [
        Row(policy: .dropOldest, lag: 0, action: .skip(to: 50, cause: .bytes)),
        Row(policy: .dropNewest, lag: 0, action: .skip(to: 50, cause: .bytes)),
        Row(policy: .latest, lag: 0, action: .skip(to: 50, cause: .bytes)),
        Row(policy: .disconnect, lag: 0, action: .disconnect),
        Row(policy: .throttle, lag: 0, action: .disconnect),
    ])
    func `what the log has dropped is skipped, or ends what must lose nothing`(row: Row) {
        #expect(Self.overflow(row.policy).lost(upTo: 50, cursor: 20, head: 100) == row.action)
    }

    @Test(arguments: [(firstKept: Offset(5), to: Offset(21)), (firstKept: 21, to: 21), (firstKept: 150, to: 100)])
    func `what the log has dropped moves the cursor by one at least, and to the head at most`(
        firstKept: Offset,
        to offset: Offset
    ) {
        let action = Self.overflow(.dropOldest).lost(upTo: firstKept, cursor: 20, head: 100)
        #expect(action == .skip(to: offset, cause: .bytes))
    }

    @Test(arguments: [
        Row(policy: .dropOldest, lag: 0, action: nil),
        Row(policy: .dropNewest, lag: 0, action: .skipAll(beyond: 10)),
        Row(policy: .latest, lag: 0, action: nil),
        Row(policy: .disconnect, lag: 0, action: nil),
        Row(policy: .throttle, lag: 0, action: nil),
    ])
    func `only drop-newest has something to do when a burst ends`(row: Row) {
        var overflow = Self.overflow(row.policy)
        #expect(overflow.burstEnded() == row.action)
    }

    @Test(arguments: OverflowPolicy.allCases)
    func `one policy conflates, one holds publishers`(policy: OverflowPolicy) {
        let overflow = Self.overflow(policy)
        #expect(overflow.conflates == (policy == .latest))
        #expect(overflow.canHoldPublishers == (policy == .throttle))
        #expect(overflow.publishBound == (policy == .throttle ? 10 : nil))
    }

    // MARK: Disconnect

    @Test(arguments: [
        (queue: 1, lag: UInt64(0), warns: false), (queue: 1, lag: 1, warns: true),
        (queue: 4, lag: 3, warns: false), (queue: 4, lag: 4, warns: true),
        (queue: 10, lag: 7, warns: false), (queue: 10, lag: 8, warns: true), (queue: 10, lag: 99, warns: true),
    ])
    func `disconnect warns at 80 % of its queue`(queue: Int, lag: UInt64, warns: Bool) {
        let overflow = Self.overflow(.disconnect, queue: queue)
        let expected = warns ? Overflow.Action.warn(lag: lag, queue: UInt64(queue)) : nil
        #expect(overflow.warning(of: Self.backlog(lag, mayWarn: true)) == expected)
        #expect(overflow.warning(of: Self.backlog(lag, mayWarn: false)) == nil)
    }

    @Test(arguments: OverflowPolicy.allCases)
    func `no other policy warns`(policy: OverflowPolicy) {
        let warning = Self.overflow(policy).warning(of: Self.backlog(99, mayWarn: true))
        #expect((warning != nil) == (policy == .disconnect))
    }

    // MARK: Latest

    @Test(
        arguments: [
            (live: LiveSpan(count: 3, next: 1, passed: 0, batches: 1), next: Offset(108)),
            (live: LiveSpan(count: 10, next: 1, passed: 0, batches: 1), next: 101),
            (live: LiveSpan(count: 25, next: 40, passed: 15, batches: 1), next: 101),
            (live: LiveSpan(count: 10, next: 1, passed: 0, batches: 640), next: 111),
        ] as [(LiveSpan, Offset)]
    )
    func `latest counts again when there can be too much again`(live: LiveSpan, next: Offset) {
        var overflow = Self.overflow(.latest)
        let action = overflow.counted(live, head: 100)
        #expect(action == (live.count > 10 ? .skipSuperseded(to: live.next, dropped: UInt64(live.passed)) : nil))
        for head in [next - 1, next] {
            let backlog = Overflow.Backlog(cursor: 1, head: head, lag: head - 1)
            #expect((overflow.excess(of: backlog) != nil) == (head == next))
        }
    }

    @Test func `latest counts at once after a burst, and with new options`() {
        let live = LiveSpan(count: 0, next: 1, passed: 0, batches: 0)
        var overflow = Self.overflow(.latest)
        _ = overflow.counted(live, head: 100)
        #expect(overflow.excess(of: Self.backlog(11)) == nil)
        _ = overflow.burstEnded()
        #expect(overflow.excess(of: Self.backlog(11)) == .countLive(bound: 10))
        _ = overflow.counted(live, head: 100)
        overflow = Self.overflow(.latest, queue: 5)
        #expect(overflow.excess(of: Self.backlog(11)) == .countLive(bound: 5))
    }

    // MARK: Throttle

    @Test(arguments: [
        (lag: UInt64(9), isFull: false, holds: false), (lag: 10, isFull: false, holds: true),
        (lag: 11, isFull: false, holds: true), (lag: 0, isFull: true, holds: true),
    ])
    func `throttle holds publishers at its bound, and where bytes are short`(lag: UInt64, isFull: Bool, holds: Bool) {
        let throttle = Throttle(queue: 10)
        #expect(throttle.holdsPublishers(Self.backlog(lag), isFull: isFull) == holds)
        // At the head it holds nobody.
        #expect(!throttle.holdsPublishers(Self.backlog(0, cursor: 100), isFull: isFull))
    }

    @Test func `throttle cuts what stands at one place for the time-out and takes nothing`() {
        var stall = Stall()
        func check(_ cursor: Offset, taken: Int64 = .min, at now: Int64) -> Overflow.Action? {
            stall.check(at: cursor, taken: taken, now: now, timeout: 1000)
        }
        #expect(check(5, at: 0) == nil && check(5, at: 999) == nil)
        #expect(check(5, at: 1000) == .disconnect)
        // It has moved.
        #expect(check(6, at: 1001) == nil && check(6, at: 2000) == nil && check(6, at: 2001) == .disconnect)
        // Its client has taken something from the buffers in between.
        #expect(check(6, taken: 2500, at: 2600) == nil && check(6, taken: 2500, at: 3599) == nil)
        #expect(check(6, taken: 2500, at: 3600) == .disconnect)
        // It was below its bound.
        stall.released()
        #expect(check(6, at: 9000) == nil)
    }

    @Test func `throttle adds up how long publishers wait`() {
        var stall = Stall()
        #expect([100, 150, 400].map { stall.held(at: $0) } == [0, 50, 250])
        stall.released()
        #expect([1000, 1001].map { stall.held(at: $0) } == [0, 1])
    }
}
