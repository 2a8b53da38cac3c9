import Testing

@testable import ApusClient

@Suite("The publish queue")
struct PublishQueueTests {
    private static let start = ContinuousClock.now

    private func queue(_ count: Int = 0, limit: Int = 10, byteLimit: Int = 1000) throws -> PublishQueue {
        var queue = PublishQueue(limit: limit, byteLimit: byteLimit, patience: .seconds(30))
        queue.connected()
        for _ in 0..<count { _ = try add(to: &queue) }
        return queue
    }

    private func add(to queue: inout PublishQueue, topic: String = "t", size: Int = 5) throws -> Int {
        let padding = String(repeating: "x", count: max(0, size - 5))
        return try queue.append(topic: topic, ticket: OneShot()) { "text\($0)" + padding }
    }

    /// A queue that was connected before, with entries for these topics, and is again.
    private func reconnected(_ topics: String..., known: String? = nil) throws -> PublishQueue {
        var queue = try queue()
        if let known {
            let request = try add(to: &queue, topic: known)
            _ = queue.takeUnsent(byteLimit: .max)
            _ = queue.acked("\(request)")
        }
        queue.disconnected()
        for topic in topics { _ = try add(to: &queue, topic: topic) }
        queue.connected()
        return queue
    }

    private func sent(_ queue: inout PublishQueue) -> [String] {
        queue.takeUnsent(byteLimit: .max)
    }

    /// The answer that there is no such topic, or another, so many seconds after the start.
    private func miss(
        _ queue: inout PublishQueue,
        _ request: Int,
        at seconds: Int = 0,
        _ obstacle: PublishQueue.Obstacle = .topicMissing
    ) -> (refused: [Int], wait: PublishQueue.Lane.Wait?) {
        let (refused, wait) = queue.held("\(request)", by: obstacle, now: Self.start + .seconds(seconds))
        return (refused.map(\.request), wait)
    }

    @Test func `gives what is unsent in order and once, as much as a write should have`() throws {
        var queue = try queue(3)
        #expect(queue.takeUnsent(byteLimit: 6) == ["text1", "text2"])
        #expect(queue.takeUnsent(byteLimit: 6) == ["text3"])
        #expect(queue.takeUnsent(byteLimit: 6) == [])
    }

    @Test func `gives everything again after a reconnect but what was answered or abandoned`() throws {
        var queue = try queue(5)
        _ = queue.takeUnsent(byteLimit: 20)
        #expect(queue.acked("1") != nil)
        #expect(queue.acked("1") == nil)
        #expect(queue.acked("5") == nil)
        #expect(miss(&queue, 2, .unavailable).wait != nil)
        #expect(queue.acked("2") == nil)
        queue.abandon(3)
        queue.abandon(5)
        queue.disconnected()
        queue.connected()
        #expect(sent(&queue) == ["text2"])
        #expect(queue.acked("2") != nil)
        #expect(sent(&queue) == ["text4"])
        #expect(queue.acked("4") != nil)
        #expect(queue.isEmpty)
    }

    @Test func `after a rate limit sends one, and twice as many after each that is taken, in order`() throws {
        var queue = try queue(9)
        _ = sent(&queue)
        let wait = try #require(miss(&queue, 1, .rateLimited).wait)
        for request in 2...9 { _ = miss(&queue, request, .rateLimited) }
        // That the topic is there says nothing about its limit.
        queue.topicMayBeThere("t")
        #expect(sent(&queue) == [])
        queue.waited(wait)
        #expect(sent(&queue) == ["text1"])
        #expect(queue.acked("1") != nil)
        #expect(sent(&queue) == ["text2"])
        #expect(queue.acked("2") != nil)
        #expect(sent(&queue) == ["text3", "text4"])
        #expect(queue.acked("3") != nil)
        #expect(sent(&queue) == ["text5", "text6", "text7", "text8"])
        // Refused again: what was sent meanwhile comes back in its place.
        #expect(miss(&queue, 4, .rateLimited).wait == nil)
        let again = try #require(miss(&queue, 5, .rateLimited).wait)
        for request in 6...8 { _ = miss(&queue, request, .rateLimited) }
        queue.waited(again)
        #expect(sent(&queue) == ["text4"])
        #expect(queue.acked("4") != nil)
        #expect(sent(&queue) == ["text5"])
    }

    @Test func `does not wait for a rate limit that lasts longer than its patience`() throws {
        var queue = try queue(2)
        _ = sent(&queue)
        let (refused, wait) = queue.held("1", by: .rateLimited, pause: .seconds(31), now: Self.start)
        #expect(refused.map(\.request) == [1] && wait == nil)
        let short = queue.held("2", by: .rateLimited, pause: .seconds(29), now: Self.start)
        #expect(short.refused.isEmpty && short.wait != nil)
    }

    @Test func `is bounded by messages and bytes, but for one that is alone`() throws {
        var full = try queue(10)
        #expect(throws: ClientError.self) { try add(to: &full) }
        var heavy = try queue(1, byteLimit: 8)
        #expect(throws: ClientError.self) { try add(to: &heavy) }
        _ = sent(&heavy)
        _ = heavy.acked("1")
        #expect(try add(to: &heavy, size: 20) == 2)
    }

    @Test func `sends one of each topic ahead after a reconnect, and the others when it is acked`() throws {
        var queue = try reconnected("a", "b", "a", "b", "a")
        #expect(sent(&queue) == ["text1", "text2"])
        #expect(queue.acked("1") != nil)
        #expect(sent(&queue) == ["text3", "text5"])
        // The topic is known to be there, so nothing is held up any more.
        _ = try add(to: &queue, topic: "a")
        #expect(sent(&queue) == ["text6"])
        #expect(queue.refused("2") != nil)
        #expect(sent(&queue) == ["text4"])
    }

    @Test func `keeps what waits for its topic in order, whatever comes meanwhile`() throws {
        var queue = try reconnected("a", "a")
        _ = sent(&queue)
        let first = miss(&queue, 1)
        #expect(first.refused.isEmpty && first.wait?.attempt == 1)
        #expect(first.wait?.deadline == Self.start + .seconds(30))
        _ = try add(to: &queue, topic: "a")
        #expect(sent(&queue).isEmpty)
        queue.waited(try #require(first.wait))
        #expect(sent(&queue) == ["text1"])
        let second = try #require(miss(&queue, 1, at: 1).wait)
        #expect(second.attempt == 2)
        // A wait that is over already counts no more.
        queue.waited(try #require(first.wait))
        #expect(sent(&queue).isEmpty)
        queue.topicMayBeThere("a")
        #expect(sent(&queue) == ["text1"])
        queue.waited(second)
        #expect(sent(&queue).isEmpty)
        #expect(queue.acked("1") != nil)
        #expect(sent(&queue) == ["text2", "text3"])
    }

    @Test func `refuses each when it has waited long enough, and the last with its topic`() throws {
        var queue = try reconnected("a")
        _ = sent(&queue)
        queue.waited(try #require(miss(&queue, 1).wait))
        _ = try add(to: &queue, topic: "a")
        _ = sent(&queue)
        queue.waited(try #require(miss(&queue, 1, at: 10).wait))
        #expect(sent(&queue) == ["text1"])
        let third = miss(&queue, 1, at: 30)
        #expect(third.refused == [1] && third.wait?.deadline == Self.start + .seconds(40))
        queue.waited(try #require(third.wait))
        #expect(sent(&queue) == ["text2"])
        let last = miss(&queue, 2, at: 40)
        #expect(last.refused == [2] && last.wait == nil)
        #expect(queue.isEmpty)
    }

    @Test func `has nothing wait on the first connection, for a topic never seen, or one that is known to be deleted`()
        throws
    {
        var first = try queue(2)
        _ = sent(&first)
        #expect(miss(&first, 1).refused == [1])
        #expect(miss(&first, 2).refused == [2])

        var known = try reconnected(known: "a")
        _ = try add(to: &known, topic: "a")
        _ = try add(to: &known, topic: "typo")
        _ = sent(&known)
        #expect(miss(&known, 3).refused == [3])
        #expect(miss(&known, 2).wait != nil)

        var deleted = try reconnected(known: "a")
        deleted.topicDeleted("a")
        _ = try add(to: &deleted, topic: "a")
        _ = sent(&deleted)
        #expect(miss(&deleted, 2).refused == [2])

        // There on this very connection.
        var seen = try reconnected("a", "a")
        _ = sent(&seen)
        _ = seen.acked("1")
        _ = sent(&seen)
        #expect(miss(&seen, 2).refused == [2])
    }

    @Test func `begins every wait anew with a new connection`() throws {
        var queue = try reconnected("a", "a")
        _ = sent(&queue)
        let wait = try #require(miss(&queue, 1).wait)
        queue.disconnected()
        queue.waited(wait)
        queue.connected()
        #expect(sent(&queue) == ["text1"])
        #expect(miss(&queue, 1, at: 60).wait?.deadline == Self.start + .seconds(90))
    }

    @Test func `lets go of what is abandoned wherever it waits, and others take its place`() throws {
        var queue = try reconnected("a", "a", "a", "a")
        queue.abandon(1)
        #expect(sent(&queue) == ["text2"])
        let wait = try #require(miss(&queue, 2).wait)
        queue.abandon(3)
        queue.abandon(2)
        queue.waited(wait)
        #expect(sent(&queue) == ["text4"])
        let last = try #require(miss(&queue, 4, at: 1).wait)
        queue.abandon(4)
        queue.waited(last)
        #expect(sent(&queue).isEmpty && queue.isEmpty)
        // Sent, so its answer is still due, and after it the next one's turn.
        _ = try add(to: &queue, topic: "a")
        _ = try add(to: &queue, topic: "a")
        _ = sent(&queue)
        queue.abandon(5)
        #expect(miss(&queue, 5, at: 2).refused == [5, 6])
        #expect(queue.isEmpty)
    }

    @Test func `sends again what is refused for the time being, in its order, for half a minute`() throws {
        var queue = try queue(3)
        _ = sent(&queue)
        let wait = try #require(miss(&queue, 1, .unavailable).wait)
        _ = try add(to: &queue)
        for request in 2...3 {
            let held = miss(&queue, request, .unavailable)
            #expect(held.refused.isEmpty && held.wait == nil)
        }
        #expect(sent(&queue).isEmpty)
        queue.waited(wait)
        #expect(sent(&queue) == ["text1"])
        #expect(queue.acked("1") != nil)
        #expect(sent(&queue) == ["text2", "text3", "text4"])
        let last = miss(&queue, 2, at: 5, .unavailable)
        #expect(last.wait?.deadline == Self.start + .seconds(30))
        queue.waited(try #require(last.wait))
        _ = sent(&queue)
        #expect(miss(&queue, 2, at: 30, .unavailable).refused == [2])
    }

    @Test func `blames the largest command on its way, and all that are as large, for a close that says too big`()
        throws
    {
        var queue = try queue()
        for size in [10, 90, 40, 90] { _ = try add(to: &queue, size: size) }
        _ = sent(&queue)
        _ = try add(to: &queue, size: 95)
        _ = try add(to: &queue, size: 89)
        #expect(queue.removeTooBig().map(\.request).sorted() == [2, 4, 5])
        queue.disconnected(tooBig: true)
        queue.connected()
        #expect(throws: ClientError.self) { try add(to: &queue, size: 90) }
        _ = sent(&queue)
        #expect(queue.acked("1") != nil)
        #expect(sent(&queue).count == 2)
        // Another server may take more.
        queue.disconnected()
        _ = try add(to: &queue, size: 90)
        var empty = try self.queue()
        #expect(empty.removeTooBig().isEmpty)
    }
}

@Suite("The memory of topics")
struct TopicMemoryTests {
    @Test func `forgets the oldest beyond its bound`() {
        var topics = TopicMemory(limit: 3)
        for number in 0..<10 { topics.saw("t\(number)") }
        for _ in 0..<10 { topics.saw("t9") }
        #expect((0..<10).filter { topics.wasThere("t\($0)") } == [7, 8, 9])
    }
}
