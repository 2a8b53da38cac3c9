import ApusProtocol
import NIOCore
import Testing

@testable import ApusCluster

/// What a node makes of what others tell it, step by step.
@Suite struct ClusterPeersTests {
    private var one = ClusterPeersTests.peers(id: 1)
    private var other = ClusterPeers(id: 2, now: 0)

    /// Those that hear all nodes from the start.
    private static func peers(id: UInt64, _ limits: ClusterPeers.Limits = ClusterPeers.Limits()) -> ClusterPeers {
        var timing = ClusterPeers.Timing()
        timing.hearing = 0
        return ClusterPeers(id: id, limits: limits, timing: timing, now: 0)
    }

    private func state(_ name: String) -> NodeState {
        var state = NodeState()
        state.name = name
        return state
    }

    /// What the other node tells at a time.
    private mutating func tell(_ counts: [(String, Int)], at now: Int64) -> [PeerMessage] {
        other.tick(state("other"), counts.map { TopicCount($0.0, $0.1) }, isConnected: true, now: now)
    }

    /// What this node tells at a time.
    @discardableResult
    private mutating func tick(at now: Int64, isConnected: Bool = true) -> [PeerMessage] {
        one.tick(state("one"), [], isConnected: isConnected, now: now)
    }

    private mutating func receive(_ messages: [PeerMessage], at now: Int64) {
        for message in messages { one.receive(message, now: now) }
    }

    @Test mutating func `a node learns of the other, and how many subscribers topics have there`() {
        receive(tell([], at: 0), at: 1)
        receive(tell([("a", 2), ("b", 1), ("empty", 0)], at: 500), at: 501)
        tick(at: 502)
        #expect(one.nodes(now: 502).map(\.state.name) == ["one", "other"])
        #expect(one.counts == ["a": 2, "b": 1])
        receive(tell([("a", 3)], at: 1000), at: 1001)
        #expect(one.counts == ["a": 3])
    }

    @Test mutating func `only what has changed is told`() {
        _ = tell([("a", 2), ("b", 1)], at: 0)
        let messages = tell([("a", 2), ("b", 4)], at: 500)
        let part = CountsPart(number: 2, kind: .change, counts: [TopicCount("b", 4)])
        #expect(
            messages == [PeerMessage(node: 2, .counts(part)), PeerMessage(node: 2, .state(state("other"), counts: 2))]
        )
        #expect(tell([("a", 2), ("b", 4)], at: 1000).count == 1)
    }

    @Test mutating func `a node that comes later asks for all, once in a while, and gets it`() {
        _ = tell([("a", 2)], at: 0)
        receive(tell([("a", 2)], at: 500), at: 501)
        #expect(one.counts.isEmpty && one.asOf(now: 600) == 501)
        let ask = PeerMessage(node: 1, .ask(2))
        #expect(tick(at: 600).last == ask)
        #expect(tick(at: 1100).last != ask)
        #expect(tick(at: 1600).last == ask)
        other.receive(ask, now: 1601)
        receive(tell([("a", 3), ("b", 1)], at: 1700), at: 1701)
        #expect(one.counts == ["a": 3, "b": 1])
        #expect(one.asOf(now: 1800) == 1701)
        #expect(tick(at: 2700).count == 1)
    }

    @Test mutating func `what comes again or late changes nothing`() {
        receive(tell([], at: 0), at: 0)
        let first = tell([("a", 2)], at: 500)
        let second = tell([("a", 5)], at: 1000)
        receive(first + second + first, at: 1001)
        #expect(one.counts == ["a": 5])
    }

    @Test mutating func `of a whole in parts nothing counts before the last one`() throws {
        receive(tell([("old", 1)], at: 0), at: 0)
        receive(tell([("old", 1)], at: 400), at: 400)
        let many = (0..<2000).map { ("topic.\($0)", 1) }
        _ = tell(many, at: 500)
        other.receive(PeerMessage(node: 1, .ask(2)), now: 600)
        let parts = tell(many, at: 700).filter { if case .counts = $0.content { true } else { false } }
        #expect(parts.count > 2)
        receive(parts.dropLast(), at: 701)
        #expect(one.counts.count <= 1)
        receive(Array(parts.prefix(1)), at: 702)
        receive([try #require(parts.last)], at: 703)
        #expect(one.counts.count == 2000)
        for part in parts { #expect(part.body.readableBytes <= ToldCounts.partBytes) }
    }

    @Test mutating func `a node that is silent for five seconds is gone with its counts`() {
        receive(tell([], at: 0), at: 0)
        receive(tell([("a", 2)], at: 500), at: 500)
        for now in stride(from: Int64(1000), to: 5500, by: 500) { tick(at: now) }
        #expect(one.counts == ["a": 2] && one.asOf(now: 5400) == 500)
        tick(at: 5500)
        #expect(one.counts.isEmpty && one.nodes(now: 5500).count == 1)
    }

    @Test mutating func `a node that says goodbye is gone at once`() {
        receive(tell([], at: 0), at: 0)
        receive(tell([("a", 2)], at: 500), at: 500)
        receive([other.farewell], at: 501)
        #expect(one.counts.isEmpty && one.nodes(now: 501).count == 1)
    }

    @Test mutating func `who stood still himself takes nobody for gone`() {
        receive(tell([], at: 0), at: 0)
        receive(tell([("a", 2)], at: 500), at: 500)
        tick(at: 500)
        tick(at: 60_000)
        #expect(one.counts == ["a": 2])
        for now in stride(from: Int64(60_500), through: 65_000, by: 500) { tick(at: now) }
        #expect(one.counts.isEmpty)
    }

    @Test mutating func `without a connection the time of which all is known stands still`() {
        tick(at: 500)
        #expect(one.asOf(now: 700) == 700)
        tick(at: 1000, isConnected: false)
        tick(at: 9000, isConnected: false)
        #expect(one.asOf(now: 9000) == 500)
    }

    @Test mutating func `who has just come, or was away, does not say yet that it knows all`() {
        one = ClusterPeers(id: 1, now: 0)
        tick(at: 500)
        #expect(one.asOf(now: 700) == 0)
        for now in [Int64(1000), 1500] { tick(at: now) }
        #expect(one.asOf(now: 1700) == 1700)
        tick(at: 2000, isConnected: false)
        tick(at: 2500)
        #expect(one.asOf(now: 2600) == 1500)
        for now in [Int64(3000), 3500, 4000] { tick(at: now) }
        #expect(one.asOf(now: 4000) == 4000)
    }

    @Test mutating func `two spellings of one character are two topics`() {
        receive(tell([], at: 0), at: 0)
        receive(tell([("\u{e9}", 2), ("e\u{301}", 3)], at: 500), at: 501)
        #expect(one.counts == ["\u{e9}": 2, "e\u{301}": 3] && one.counts.count == 2)
        receive(tell([("e\u{301}", 3)], at: 1000), at: 1001)
        #expect(one.counts == ["e\u{301}": 3])
    }

    @Test mutating func `nodes and topics beyond the limits are left out`() {
        var limits = ClusterPeers.Limits()
        (limits.nodes, limits.topics) = (1, 2)
        one = Self.peers(id: 1, limits)
        receive(tell([], at: 0), at: 0)
        one.receive(PeerMessage(node: 3, .state(state("third"), counts: 0)), now: 1)
        receive(tell([("a", 1), ("b", 1), ("c", 1), ("d", 1)], at: 500), at: 501)
        #expect(one.nodes(now: 501).count == 2)
        #expect(one.counts.count == 2)
    }
}

extension ExactText: ExpressibleByStringLiteral {
    public init(stringLiteral text: String) { self.init(text) }
}

/// Peers' messages as text.
@Suite struct PeerMessageTests {
    private static let messages: [PeerMessage] = {
        var state = NodeState()
        (state.name, state.version, state.address) = ("a \"b\"", "1.2.3", "[::1]:80")
        (state.started, state.isReady, state.lag, state.server) = (1_764_000_000_000, true, 7, "nats://a:4222")
        state.figures.connections = 12
        let counts = [TopicCount("orders.\u{e9}", 3), TopicCount("x", 0)]
        let part = CountsPart(number: 9, kind: .first, counts: counts)
        let request = ListingRequest(number: 4, topic: "orders", order: "lag", limit: 100, search: nil)
        let rows = [ListingPart.Row(rank: -5, isGone: true, json: #"{"topic":"orders"}"#)]
        let listed = ListingPart.parts(rows, to: 5, number: 4)[0]
        let contents: [PeerMessage.Content] = [
            .state(state, counts: 3), .counts(part), .ask(.max), .leave, .list(request), .listed(listed),
        ]
        return contents.map { PeerMessage(node: 0xFACE, $0) }
    }()

    @Test(arguments: messages) func `a message is read as it was written`(message: PeerMessage) {
        #expect(PeerMessage(message.body) == message)
    }

    @Test(arguments: messages) func `no changed or missing byte crashes a node`(message: PeerMessage) {
        let body = message.body
        var peers = ClusterPeers(id: 1, now: 0)
        for place in 0..<body.readableBytes {
            for bit in 0..<8 {
                var changed = body
                let byte = body.getInteger(at: place, as: UInt8.self) ?? 0
                changed.setInteger(byte ^ 1 << bit, at: place)
                if let read = PeerMessage(changed) { peers.receive(read, now: 1) }
            }
            if let cut = body.getSlice(at: 0, length: place) { #expect(PeerMessage(cut) == nil) }
        }
        _ = peers.tick(NodeState(), [], isConnected: true, now: 2)
    }

    @Test(arguments: [
        #"{"node":"1","type":"counts","number":9007199254740993,"kind":"change","counts":[]}"#,
        #"{"node":"1","type":"counts","number":0,"kind":"change","counts":[]}"#,
        #"{"node":"1","type":"counts","number":1,"kind":"change","counts":[["a",-1]]}"#,
        #"{"node":"1","type":"counts","number":1,"kind":"change","counts":[["",1]]}"#,
        #"{"node":"1","type":"counts","number":1,"kind":"change","counts":[["a",18446744073709551615]]}"#,
        #"{"node":"11111111111111111","type":"leave"}"#, #"{"node":1,"type":"leave"}"#, #"{"type":"leave"}"#,
        #"{"node":"1","type":"sing"}"#, "[]", "", "{",
    ])
    func `what no node writes is not read`(text: String) {
        #expect(PeerMessage(ByteBuffer(string: text)) == nil)
    }
}
