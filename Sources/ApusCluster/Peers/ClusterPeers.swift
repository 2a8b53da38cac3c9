package import ApusProtocol

/// What a node knows of the others: who they are, how they are, and how many subscribers topics have there.
///
/// ```
///  tick: own state and counts ──►┌──────────────┐──► messages to all
///                                │ ClusterPeers │
///  messages of the others ──────►└──────────────┘──► nodes, counts, as of when
/// ```
/// A value without a clock or a socket. Nothing is kept anywhere: messages may be lost, come late or twice, and a node
/// may end without a word. Counts of subscribers are told as changes with numbers; who misses one asks for all. So what
/// is known of a node is what it was some time ago, and ``asOf(now:)`` says when.
package struct ClusterPeers: Sendable {
    package struct Limits: Sendable {
        /// Other nodes. Messages of further ones are ignored.
        package var nodes = 64
        /// Topics with counts, of each node. Further ones are left out.
        package var topics = 1_000_000

        package init() {}
    }

    package struct Timing: Sendable {
        /// After so many milliseconds of silence a node is gone.
        package var gone: Int64 = 5000
        /// All counts are asked for, and told, at most this often.
        package var whole: Int64 = 1000
        /// A node that does not come to tick for so long was not there to hear the others.
        package var absence: Int64 = 2000
        /// Who has listened for so long has heard of all nodes that are there: each tells of itself each second.
        package var hearing: Int64 = 1200

        package init() {}
    }

    /// Another node, or this one.
    package struct Node: Sendable, Equatable {
        package let id: UInt64
        package let state: NodeState
        package let isSelf: Bool
        /// How long ago it was heard, in milliseconds.
        package let silence: Int64
    }

    private struct Peer {
        var state: NodeState
        var heard: Int64
        /// When everything that it had told was known.
        var complete: Int64
        /// When it was asked for all its counts.
        var asked: Int64?
        var counts = HeardCounts()
    }

    package let id: UInt64
    private let limits: Limits
    private let timing: Timing
    private var own = NodeState()
    private var told = ToldCounts()
    private var peers: [UInt64: Peer] = [:]
    /// How many subscribers each topic has on other nodes.
    package private(set) var counts: [ExactText: Int] = [:]
    private var isAsked = false
    private var lastWhole: Int64?
    private var lastTick: Int64
    /// Since when there is a connection.
    private var connectedSince: Int64?
    /// When there last was one over which all nodes were heard.
    private var lastHeard: Int64

    package init(id: UInt64, limits: Limits = Limits(), timing: Timing = Timing(), now: Int64) {
        self.id = id
        self.limits = limits
        self.timing = timing
        (lastTick, lastHeard, connectedSince) = (now, now, now)
    }

    // MARK: What this node tells

    /// Call it once or twice a second.
    ///
    /// - Parameters:
    ///   - counts: how many subscribers topics have here.
    ///   - isConnected: whether messages go out.
    /// - Returns: what to send to all.
    package mutating func tick(
        _ state: NodeState,
        _ counts: [TopicCount],
        isConnected: Bool,
        now: Int64
    ) -> [PeerMessage] {
        // A process that stood still has not heard what others said meanwhile.
        let absence = now - lastTick
        if absence > timing.absence { for peer in peers.keys { peers[peer]?.heard += absence } }
        lastTick = now
        connectedSince = isConnected ? connectedSince ?? now : nil
        if isHearing(now: now) { lastHeard = now }
        own = state
        for (peer, known) in peers where now - known.heard >= timing.gone { remove(peer) }
        var parts = told.changes(to: counts)
        if isAsked, lastWhole.map({ now - $0 >= timing.whole }) ?? true {
            (isAsked, lastWhole) = (false, now)
            parts += told.whole()
        }
        let asking = peers.filter { !$0.value.counts.isComplete && isTime(toAsk: $0.value, now: now) }.keys.sorted()
        for peer in asking { peers[peer]?.asked = now }
        let contents = parts.map { PeerMessage.Content.counts($0) } + [.state(state, counts: told.number)]
        return (contents + asking.map { .ask($0) }).map { PeerMessage(node: id, $0) }
    }

    private func isTime(toAsk peer: Peer, now: Int64) -> Bool {
        peer.asked.map { now - $0 >= timing.whole } ?? true
    }

    /// What to send to all when this node ends.
    package var farewell: PeerMessage { PeerMessage(node: id, .leave) }

    // MARK: What others tell

    package mutating func receive(_ message: PeerMessage, now: Int64) {
        guard message.node != id else { return }
        switch message.content {
        case .state(let state, let number):
            guard peers[message.node] != nil || peers.count < limits.nodes else { return }
            var peer = peers[message.node] ?? Peer(state: state, heard: now, complete: now)
            (peer.state, peer.heard) = (state, now)
            peer.counts.expect(number)
            if peer.counts.isComplete { peer.complete = now }
            peers[message.node] = peer
        case .counts(let part):
            // A node that was not heard of yet tells its state soon, and is then asked for what it has told before.
            guard var peer = peers[message.node] else { return }
            // What is changed in place is not copied.
            peers[message.node] = nil
            let differences = peer.counts.take(part, limit: limits.topics)
            if peer.counts.isComplete { peer.complete = now }
            peers[message.node] = peer
            add(differences)
        case .ask(let node):
            if node == id { isAsked = true }
        case .list, .listed:
            break
        case .leave:
            remove(message.node)
        }
    }

    private mutating func remove(_ node: UInt64) {
        guard let peer = peers.removeValue(forKey: node) else { return }
        add(peer.counts.counts.mapValues { -$0 })
    }

    private mutating func add(_ differences: [ExactText: Int]) {
        for (topic, difference) in differences where difference != 0 {
            let count = (counts[topic] ?? 0) + difference
            counts[topic] = count > 0 ? count : nil
        }
    }

    // MARK: What is known

    /// All nodes, this one first, the others by name.
    package func nodes(now: Int64) -> [Node] {
        let others = peers.map { id, peer in
            Node(id: id, state: peer.state, isSelf: false, silence: max(now - peer.heard, 0))
        }
        let order = others.sorted { ($0.state.name, $0.id) < ($1.state.name, $1.id) }
        return [Node(id: id, state: own, isSelf: true, silence: 0)] + order
    }

    /// The time of which everything is known that nodes had told.
    package func asOf(now: Int64) -> Int64 {
        peers.values.reduce(isHearing(now: lastTick) ? now : lastHeard) { min($0, $1.complete) }
    }

    /// Whether it knows of all nodes by now.
    private func isHearing(now: Int64) -> Bool { connectedSince.map { now - $0 >= timing.hearing } ?? false }
}
