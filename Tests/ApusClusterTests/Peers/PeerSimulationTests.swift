import ApusProtocol
import ApusTesting
import Testing

@testable import ApusCluster

/// Nodes tell each other of their subscribers over a net that loses, delays and repeats messages, is cut and heals,
/// while nodes end without a word or start again. When all is quiet, each knows what there is.
@Suite struct PeerSimulationTests {
    @Test(arguments: 0..<20)
    func `when the net is whole again, all nodes know each other's subscribers`(block: UInt64) {
        for seed in block * 50..<block * 50 + 50 {
            var world = PeerWorld(seed: seed, fault: nil)
            if let mistake = world.run() { Issue.record("seed \(seed): \(mistake)") }
        }
    }

    @Test(arguments: PeerFault.allCases)
    func `a planted fault is found`(fault: PeerFault) {
        let found = (0..<200).first { seed in
            var world = PeerWorld(seed: UInt64(seed), fault: fault)
            return world.run() != nil
        }
        #expect(found != nil)
    }
}

/// A mistake on the way between two nodes, to see that the simulation finds it.
enum PeerFault: CaseIterable, Sendable {
    /// All there is is taken for a change: what has ended meanwhile stays.
    case wholeAsChange
    /// Nobody is asked for what was missed.
    case asksNobody
    /// A node that ended goes on as a ghost.
    case ghosts
}

private struct PeerWorld {
    private struct Node {
        var peers: ClusterPeers
        var counts: [String: Int] = [:]
        var side = 0
    }

    private struct Flight {
        let message: PeerMessage
        let to: UInt64
        let at: Int64
    }

    private var random: SeededGenerator
    private let fault: PeerFault?
    private var now: Int64 = 0
    private var nodes: [UInt64: Node] = [:]
    private var lastID: UInt64 = 0
    private var flights: [Flight] = []
    private var isCalm = false
    private var ended: [PeerMessage] = []

    init(seed: UInt64, fault: PeerFault?) {
        random = SeededGenerator(seed: seed)
        self.fault = fault
        for _ in 0..<3 { start() }
    }

    private mutating func start() {
        lastID += 1
        nodes[lastID] = Node(peers: ClusterPeers(id: lastID, now: now))
    }

    /// - Returns: what is wrong in the end.
    mutating func run() -> String? {
        for _ in 0..<60 {
            disturb()
            step()
        }
        isCalm = true
        for id in nodes.keys { nodes[id]?.side = 0 }
        for _ in 0..<24 { step() }
        return mistake()
    }

    private mutating func disturb() {
        for id in nodes.keys.sorted() {
            if random.chance(60) {
                let topic = "t\(Int.random(in: 0..<8, using: &random))"
                let count = Int.random(in: 0..<5, using: &random)
                nodes[id]?.counts[topic] = count
            }
            if random.chance(5) { nodes[id]?.side = Int.random(in: 0...1, using: &random) }
            guard random.chance(2), nodes.count > 1, let node = nodes.removeValue(forKey: id) else { continue }
            if random.chance(50) { send(node.peers.farewell, from: id, side: node.side) }
            ended.append(PeerMessage(node: id, .state(NodeState(), counts: 0)))
            start()
        }
    }

    private mutating func step() {
        for id in nodes.keys.sorted() {
            guard var node = nodes[id] else { continue }
            let counts = node.counts.map { TopicCount($0.key, $0.value) }.sorted { $0.topic < $1.topic }
            let messages = node.peers.tick(NodeState(), counts, isConnected: true, now: now)
            nodes[id] = node
            for message in messages { send(message, from: id, side: node.side) }
        }
        if fault == .ghosts { for message in ended { send(message, from: message.node, side: 0) } }
        now += 500
        let due = flights.filter { $0.at <= now }
        flights.removeAll { $0.at <= now }
        for flight in due { nodes[flight.to]?.peers.receive(flight.message, now: flight.at) }
    }

    private mutating func send(_ message: PeerMessage, from sender: UInt64, side: Int) {
        var message = message
        switch (fault, message.content) {
        case (.asksNobody, .ask): return
        case (.wholeAsChange, .counts(let part)):
            message = PeerMessage(
                node: message.node,
                .counts(CountsPart(number: part.number, kind: .change, counts: part.counts))
            )
        default: break
        }
        for id in nodes.keys.sorted() where id != sender && nodes[id]?.side == side {
            if !isCalm, random.chance(15) { continue }
            let copies = !isCalm && random.chance(10) ? 2 : 1
            for _ in 0..<copies {
                let delay = isCalm ? 1 : Int64.random(in: 0..<1200, using: &random)
                flights.append(Flight(message: message, to: id, at: now + delay))
            }
        }
    }

    private func mistake() -> String? {
        for (id, node) in nodes {
            let known = Set(node.peers.nodes(now: now).map(\.id))
            if known != Set(nodes.keys) { return "node \(id) knows \(known.sorted()), not \(nodes.keys.sorted())" }
            var wanted: [String: Int] = [:]
            for (other, node) in nodes where other != id {
                for (topic, count) in node.counts where count > 0 { wanted[topic, default: 0] += count }
            }
            let told = Dictionary(uniqueKeysWithValues: node.peers.counts.map { ($0.key.text, $0.value) })
            if told != wanted { return "node \(id) has \(node.peers.counts), not \(wanted)" }
            if now - node.peers.asOf(now: now) > 1000 {
                return "node \(id) knows all as of \(node.peers.asOf(now: now))"
            }
        }
        return nil
    }
}
