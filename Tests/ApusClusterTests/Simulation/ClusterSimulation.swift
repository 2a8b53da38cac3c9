import ApusCluster
import ApusProtocol

/// Runs nodes through random steps against servers that fail, and checks what they say.
struct ClusterSimulation {
    let seed: UInt64
    var fault: ClusterFault?

    /// - Returns: what went wrong; `nil` if nothing did.
    func run(trace: ((String) -> Void)? = nil) -> String? {
        let world = ClusterWorld(seed: seed, fault: fault, trace: trace)
        var clients = ClusterClients(topics: world.setup.topics)
        world.run(until: world.now + 400)
        for _ in 0..<world.setup.steps where world.model.mistakes.isEmpty && !clients.isOver {
            clients.step(world)
            let pause: Int64 = world.chance(10) ? 2500 : 150
            world.run(until: world.now + Int64.random(in: 1...pause, using: &world.random))
        }
        rest(world)
        return world.model.mistakes.first
    }

    /// Everything heals. Then all must be answered, and all nodes must show the same.
    private func rest(_ world: ClusterWorld) {
        world.isHostile = false
        world.heal()
        world.model.trace { "all is well" }
        let end = world.now + 60_000
        // What was lost is found when nodes compare what they have.
        if world.model.hasRolledBack { world.run(until: world.now + 20_000) }
        repeat {
            world.run(until: world.now + 500)
        } while world.model.mistakes.isEmpty && world.now < end && !isQuiet(world)
        if world.model.mistakes.isEmpty { world.model.checkRest(world) }
    }

    private func isQuiet(_ world: ClusterWorld) -> Bool {
        world.model.asks.isEmpty
            && world.nodes.allSatisfy { node in
                node.machine.isReady && node.machine.isIdle
                    && world.streams.allSatisfy {
                        node.machine.mirrors[$0.stream.number].position == UInt64($0.log.count)
                    }
            }
    }
}

/// What clients do, and what happens to servers.
struct ClusterClients {
    let topics: [String]
    /// Whether they do nothing any more.
    private(set) var isOver = false
    private var lastNumber: UInt64 = 0
    private var lastEpoch = 0

    init(topics: [String]) { self.topics = topics }

    mutating func step(_ world: ClusterWorld) {
        let node = Int.random(in: world.nodes.indices, using: &world.random)
        let topic = topics[Int.random(in: topics.indices, using: &world.random)]
        if world.fault == .publishesAgain || world.fault == .renumbersWithoutLooking,
            let ask = world.model.failed.popLast(),
            ask.boot == world.model.boots[ask.node]
        {
            publish(ask.messages, to: ask.topic, at: ask.node, world)
        }
        let isThere = world.model.shown[node][topic] != nil
        switch Int.random(in: 0..<100, using: &world.random) {
        case ..<12: trouble(world)
        case ..<20 where isThere || world.chance(20): change(topic, at: node, world)
        default:
            guard isThere else { return create(topic, at: node, world) }
            for _ in 0..<Int.random(in: 1...4, using: &world.random) {
                let messages = (0..<Int.random(in: 1...3, using: &world.random)).map { _ in message(world) }
                publish(messages, to: topic, at: node, world)
            }
        }
    }

    private mutating func message(_ world: ClusterWorld) -> SimulatedContents.Message {
        lastNumber += 1
        // Few ids, so that many are used again.
        let id = world.setup.dedupes ? UInt64.random(in: 1...12, using: &world.random) : 0
        return SimulatedContents.Message(number: lastNumber, id: id)
    }

    private func publish(_ messages: [SimulatedContents.Message], to topic: String, at node: Int, _ world: ClusterWorld)
    {
        let ticket = world.model.ask(node, topic, messages: messages)
        let contents = SimulatedContents(messages, time: world.now + world.nodes[node].lead)
        world.nodes[node].machine.publish(contents, to: topic, ticket: ticket)
        if world.fault == .acksBeforeCommit, let view = world.model.shown[node][topic], world.model.asks[ticket] != nil
        {
            let receipt = PackReceipt(first: view.next, count: messages.count)
            world.model.done(ticket, .success(receipt), at: node)
            world.model.acked.last.map { world.model.check($0) }
        }
        world.carryOut(node)
    }

    private mutating func create(_ topic: String, at node: Int, _ world: ClusterWorld) {
        lastEpoch += 1
        let window: Int64? = world.setup.dedupes ? 600_000 : nil
        submit(.create(epoch: "e\(lastEpoch)", settings: "s\(lastEpoch)", dedupeWindow: window), topic, at: node, world)
        // Two at once have one winner.
        guard world.chance(30) else { return }
        lastEpoch += 1
        let other = Int.random(in: world.nodes.indices, using: &world.random)
        submit(
            .create(epoch: "e\(lastEpoch)", settings: "s\(lastEpoch)", dedupeWindow: window),
            topic,
            at: other,
            world
        )
    }

    private mutating func change(_ topic: String, at node: Int, _ world: ClusterWorld) {
        lastEpoch += 1
        switch Int.random(in: 0..<10, using: &world.random) {
        case ..<4 where world.setup.hasManyLives || world.chance(20):
            submit(.delete, topic, at: node, world)
            // A node that stops in the middle of it leaves the rest to the others.
            guard world.setup.hasCrashes, world.chance(25) else { return }
            world.run(until: world.now + Int64.random(in: 1...80, using: &world.random))
            world.replace(node)
            isOver = world.chance(50)
        case ..<6:
            guard let entry = world.model.shown[node][topic]?.entry else { return }
            submit(
                .set(settings: "s\(lastEpoch)", dedupeWindow: entry.dedupeWindow, from: entry),
                topic,
                at: node,
                world
            )
        case ..<7:
            let ticket = world.model.ask(node, topic)
            world.nodes[node].machine.purge(topic, ticket: ticket)
            world.carryOut(node)
        case ..<8: create(topic, at: node, world)
        default: submit(.look, topic, at: node, world)
        }
    }

    private func submit(_ change: RegistryChange, _ topic: String, at node: Int, _ world: ClusterWorld) {
        let ticket = world.model.ask(node, topic, change: change)
        world.nodes[node].machine.change(topic, change, ticket: ticket)
        world.carryOut(node)
    }

    private func trouble(_ world: ClusterWorld) {
        let node = Int.random(in: world.nodes.indices, using: &world.random)
        let stream = Int.random(in: world.streams.indices, using: &world.random)
        switch Int.random(in: 0..<8, using: &world.random) {
        case ..<2 where world.setup.hasPartitions && !world.isCut.contains(true):
            let server = Int.random(in: 0...2, using: &world.random)
            world.model.trace { "server \(server) is cut off" }
            world.cut(server)
            if world.chance(20) { world.cut((server + 1) % 3) }
        case ..<4 where world.isCut.contains(true):
            world.model.trace { "servers reach each other again" }
            world.heal()
        case 4 where world.setup.hasPartitions && world.streams[stream].leader != nil:
            world.loseLeader(of: stream, isCut: false)
        case 5 where !world.setup.hasRollBacks || world.chance(50):
            world.disconnect(node, back: Int64.random(in: 10...2000, using: &world.random))
        case 6 where world.setup.hasCrashes: world.replace(node)
        case 7 where world.setup.hasRollBacks:
            world.rollBack(stream, by: Int.random(in: 1...8, using: &world.random))
        default: break
        }
    }
}
