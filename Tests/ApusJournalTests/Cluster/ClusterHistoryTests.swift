import ApusBroker
import ApusCluster
import ApusJournal
import ApusProtocol
import ApusTesting
import NIOCore
import Testing

/// What a node does not have in memory, it reads back from JetStream.
@Suite(.timeLimit(.minutes(5))) struct ClusterHistoryTests {
    private typealias Node = ClusterNodeUnderTest

    private let server = LoopbackJetStream()
    private let padding = String(repeating: "x", count: 2000)

    private func limits(history: Int = 10_000, tail: Int = 50_000, unread: Int = .max) -> MemoryBroker.Limits {
        var limits = MemoryBroker.Limits(history: history, tailBytes: tail)
        limits.unreadTailBytes = unread
        return limits
    }

    private func node(_ limits: MemoryBroker.Limits, _ cluster: ClusterLimits = ClusterLimits()) async throws -> Node {
        let node = try await Node(server, limits, cluster: cluster)
        if node.broker.topic(named: "t") == nil { _ = try await node.broker.create(named: "t") }
        return node
    }

    private func publish(_ numbers: ClosedRange<Int>, on node: Node) async throws {
        for number in numbers { _ = try await node.pubsub.publish("t", #"{"n":\#(number),"p":"\#(padding)"}"#) }
    }

    private func offsets(_ node: Node, from start: ReplayStart = .all) async throws -> [Offset] {
        let topic = try #require(node.broker.topic(named: "t"))
        let page = try await topic.fullPage(from: start, limit: .max, now: Node.now.steady)
        return try #require(page).entries.map(\.offset)
    }

    private func bytes(_ node: Node) throws -> Int { try #require(node.broker.topic(named: "t")).logBytes }

    @Test func `memory keeps the tail, and pages and subscriptions get all of history`() async throws {
        let node = try await node(limits())
        try await publish(1...300, on: node)
        #expect(try bytes(node) < 250_000)
        #expect(try await offsets(node) == Array(1...300))
        #expect(try await offsets(node, from: .lastN(280)) == Array(21...300))
        var read: [Offset] = []
        let subscription = try await node.pubsub.subscribe("t", PubSub.SubscribeOptions(start: .all))
        try await publish(301...302, on: node)
        while read.last != 302, let delivery = try await subscription.next() {
            if case .event(let event) = delivery { read.append(event.offset) }
        }
        #expect(read == Array(1...302))
    }

    @Test func `a node that comes later reads back the same`() async throws {
        let first = try await node(limits())
        try await publish(1...200, on: first)
        let late = try await node(limits())
        #expect(try bytes(late) < 250_000)
        #expect(try await offsets(late) == Array(1...200))
        try await publish(201...260, on: late)
        try await first.has(260)
        #expect(try await offsets(first) == Array(1...260))
    }

    @Test func `a stream that is read again while others publish loses nothing of history`() async throws {
        let nodes = [try await node(limits()), try await node(limits())]
        try await publish(1...100, on: nodes[0])
        for round in 1...10 {
            server.alarm(ClusterStream(ofTopic: "t"))
            for number in 0..<10 { try await publish(1...1, on: nodes[number % 2]) }
            let head = UInt64(100 + round * 10)
            for node in nodes {
                try await node.has(Int(head))
                try await Node.eventually { node.journal.status.isReady }
                #expect(try await offsets(node) == Array(1...head))
            }
        }
    }

    @Test func `history reaches as far as its settings say, in memory or not`() async throws {
        let node = try await node(limits(history: 150))
        try await publish(1...300, on: node)
        #expect(try bytes(node) < 250_000)
        #expect(try await offsets(node) == Array(151...300))
        #expect(try await node.broker.purgeTopic(named: "t", now: Node.now.steady) == 150)
        #expect(try await offsets(node) == [])
        try await publish(301...301, on: node)
        #expect(try await offsets(node) == [301])
    }

    @Test func `what the stream has let go of is gone, and the rest is there`() async throws {
        let node = try await node(limits())
        try await publish(1...300, on: node)
        let names = try #require(ClusterNames())
        server.trim(names.subject(ofTopic: "t"), in: ClusterStream(ofTopic: "t"), to: 250)
        #expect(try await offsets(node) == Array(51...300))
    }

    @Test func `a topic that was deleted brings nothing to the next one of its name`() async throws {
        let node = try await node(limits())
        try await publish(1...300, on: node)
        try await node.broker.delete(named: "t")
        _ = try await node.broker.create(named: "t")
        try await publish(1...200, on: node)
        #expect(try await offsets(node) == Array(1...200))
    }

    @Test func `a topic that nobody reads has nothing in memory until somebody comes`() async throws {
        let node = try await node(limits(unread: 0))
        try await publish(1...200, on: node)
        // What is not sealed yet stays.
        #expect(try bytes(node) < 70_000)
        #expect(try await offsets(node, from: .lastN(3)) == [198, 199, 200])
        let subscription = try await node.pubsub.subscribe("t", PubSub.SubscribeOptions(start: .last(10)))
        try await publish(201...300, on: node)
        var read: [Offset] = []
        while read.last != 300, let delivery = try await subscription.next() {
            if case .event(let event) = delivery { read.append(event.offset) }
        }
        #expect(read == Array(191...300))
        subscription.cancel()
        try await Node.eventually { try bytes(node) < 70_000 }
        #expect(try await offsets(node) == Array(1...300))
    }

    @Test func `without JetStream it is said in time that history cannot be read, and then it can again`() async throws
    {
        var cluster = ClusterLimits()
        cluster.archivePatience = 200
        let node = try await node(limits(), cluster)
        try await publish(1...200, on: node)
        server.isDown = true
        await #expect(throws: BrokerError.self) { try await offsets(node) }
        #expect(try await offsets(node, from: .lastN(3)) == [198, 199, 200], "what is in memory can be read")
        server.isDown = false
        #expect(try await offsets(node) == Array(1...200))
    }

    @Test func `many who read the same do not each ask JetStream for it`() async throws {
        let node = try await node(limits())
        try await publish(1...200, on: node)
        let before = server.readCount
        _ = try await offsets(node)
        let once = server.readCount - before
        let late = try await self.node(limits())
        let start = server.readCount
        try await withThrowingTaskGroup { group in
            for _ in 0..<50 {
                group.addTask {
                    let read = try await offsets(late)
                    #expect(read == Array(1...200))
                }
            }
            try await group.waitForAll()
        }
        #expect(server.readCount - start <= 2 * once)
    }
}
