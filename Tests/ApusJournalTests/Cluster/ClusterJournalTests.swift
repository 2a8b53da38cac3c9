import ApusBroker
import ApusCluster
import ApusJournal
import ApusProtocol
import ApusTesting
import Testing

/// Nodes of a cluster in one process, with their real threads, over one JetStream.
@Suite(.timeLimit(.minutes(5))) struct ClusterJournalTests {
    private typealias Node = ClusterNodeUnderTest

    private let server = LoopbackJetStream()

    private func nodes(_ count: Int, topic: String? = "t", patience: Int64 = 120_000) async throws -> [Node] {
        var nodes: [Node] = []
        for _ in 0..<count { nodes.append(try await Node(server, patience: patience)) }
        guard let topic else { return nodes }
        _ = try await nodes[0].broker.create(named: topic)
        for node in nodes { try await Node.eventually { node.broker.topic(named: topic) != nil } }
        return nodes
    }

    @Test func `what several nodes publish at once has one order on all of them`() async throws {
        let nodes = try await nodes(3)
        let places = try await withThrowingTaskGroup { group in
            for (index, node) in nodes.enumerated() {
                group.addTask {
                    var places: [(offset: UInt64, number: Int)] = []
                    for number in 0..<100 {
                        let outcome = try await node.publish(index * 1000 + number)
                        places.append((outcome.position.offset, index * 1000 + number))
                    }
                    return places
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        for node in nodes { try await node.has(300) }
        let histories = try nodes.map { try $0.history() }
        #expect(histories[0].first == 1 && histories[0].messages.count == 300)
        for other in histories.dropFirst() {
            #expect(other.epoch == histories[0].epoch)
            #expect(other.messages == histories[0].messages)
        }
        // Each publisher was told where its message really is, and its own came in its order.
        for (offset, number) in places {
            #expect(histories[0].messages[Int(offset) - 1].contains(#""payload":\#(number)}"#))
        }
        for index in nodes.indices {
            let own = places.filter { $0.number / 1000 == index }
            #expect(own.map(\.offset) == own.map(\.offset).sorted())
        }
    }

    @Test func `many publish at once through one pack`() async throws {
        let nodes = try await nodes(2)
        try await withThrowingTaskGroup { group in
            for number in 0..<500 {
                group.addTask { _ = try await nodes[number % 2].publish(number) }
            }
            try await group.waitForAll()
        }
        for node in nodes { try await node.has(500) }
        #expect(try nodes[0].history().messages == nodes[1].history().messages)
        #expect(server.packCount < 500, "what comes while a pack is under way is the next one")
    }

    @Test func `an id that is published on two nodes at once is published once`() async throws {
        let nodes = try await nodes(2, topic: nil)
        var fields = TopicSettingsFields()
        fields.dedupeWindow = 3_600_000
        _ = try await nodes[0].broker.put(named: "t", fields)
        try await Node.eventually { nodes[1].broker.topic(named: "t") != nil }
        for round in 0..<50 {
            async let one = nodes[0].publish(round, id: "id\(round)")
            async let other = nodes[1].publish(round, id: "id\(round)")
            let outcomes = try await [one, other]
            #expect(outcomes.map(\.count).reduce(0, +) == 1)
            #expect(outcomes[0].position == outcomes[1].position)
        }
        for node in nodes { try await node.has(50) }
        let again = try await nodes[1].publish(0, id: "id7")
        #expect((again.count, again.position.offset) == (0, 8))
    }

    @Test func `topics are made, changed and deleted for all nodes`() async throws {
        let nodes = try await nodes(2, topic: nil)
        async let one = nodes[0].broker.put(named: "t", TopicSettingsFields()).isNew
        async let other = nodes[1].broker.put(named: "t", TopicSettingsFields()).isNew
        #expect(try await [one, other].count { $0 } == 1)
        for node in nodes { try await Node.eventually { node.broker.topic(named: "t") != nil } }
        let epoch = try nodes[0].history().epoch
        #expect(try nodes[1].history().epoch == epoch)
        await #expect(throws: BrokerError.self) { try await nodes[1].broker.create(named: "t") }
        var fields = TopicSettingsFields()
        fields.history = 7
        _ = try await nodes[1].broker.put(named: "t", fields)
        try await Node.eventually { nodes[0].broker.topic(named: "t")?.settings.history == 7 }
        try await nodes[0].publish(1)
        try await nodes[1].broker.delete(named: "t")
        try await Node.eventually { nodes[0].broker.topic(named: "t") == nil }
        await #expect(throws: BrokerError.self) { try await nodes[0].broker.delete(named: "t") }
        _ = try await nodes[0].broker.create(named: "t")
        try await nodes[0].publish(2)
        try await nodes[1].has(1)
        #expect(try nodes[1].history().epoch == nodes[0].history().epoch)
        #expect(try nodes[1].history().epoch != epoch)
    }

    @Test func `what one node was told of, another one knows when it is asked for it`() async throws {
        let nodes = try await nodes(2, topic: nil)
        for number in 0..<50 {
            _ = try await nodes[number % 2].broker.create(named: "t\(number)")
            try await nodes[(number + 1) % 2].publish(number, to: "t\(number)")
            let position = try await nodes[number % 2].publish(number, to: "t\(number)").position
            let other = nodes[(number + 1) % 2]
            let start = PubSub.Start.after(position)
            let subscription = try await other.pubsub.subscribe("t\(number)", PubSub.SubscribeOptions(start: start))
            #expect(subscription.position == position)
            try await other.broker.delete(named: "t\(number)")
        }
    }

    @Test func `names and ids are told apart byte for byte`() async throws {
        let nodes = try await nodes(2, topic: nil)
        let (composed, decomposed) = ("caf\u{E9}", "cafe\u{301}")
        for (index, name) in [composed, decomposed].enumerated() {
            var fields = TopicSettingsFields()
            (fields.history, fields.dedupeWindow) = (10 + index, 3_600_000)
            #expect(try await nodes[index].broker.put(named: name, fields).isNew)
        }
        for (index, name) in [composed, decomposed].enumerated() {
            for node in nodes { #expect(try await node.broker.find(named: name)?.settings.history == 10 + index) }
            for id in [composed, decomposed] { #expect(try await nodes[0].publish(1, to: name, id: id).count == 1) }
            #expect(try await nodes[1].publish(1, to: name, id: composed).count == 0)
        }
        try await nodes[1].broker.delete(named: composed)
        try await Node.eventually { nodes[0].broker.topic(named: composed) == nil }
        #expect(try await nodes[0].broker.find(named: decomposed)?.publishedCount == 2)
    }

    @Test func `what is not there in the cluster is not there, and without the cluster that is not known`() async throws
    {
        let nodes = try await nodes(2, patience: 4500)
        for node in nodes { #expect(try await node.broker.find(named: "no topic") == nil) }
        server.isDown = true
        await #expect(throws: BrokerError.self) { try await nodes[0].broker.find(named: "no topic") }
        #expect(try await nodes[0].broker.find(named: "t") != nil)
    }

    @Test func `many who want the same topic made at once get one, on all nodes`() async throws {
        let nodes = try await nodes(2, topic: nil)
        let epochs = try await withThrowingTaskGroup { group in
            for number in 0..<500 {
                group.addTask { try await nodes[number % 2].broker.findOrCreate(named: "t").epoch }
            }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(epochs.count == 1)
    }

    @Test func `settings that a newer version has written are not overwritten by those who cannot read them`()
        async throws
    {
        let nodes = try await nodes(1, topic: "t")
        var fields = TopicSettingsFields()
        fields.history = 9
        _ = try await nodes[0].broker.put(named: "t", fields)
        server.overwriteSettings(ofTopic: "t", with: #"{"history": 7, "colour": "blue"}"#)
        await #expect(throws: BrokerError.self) { try await nodes[0].broker.put(named: "t", fields) }
        #expect(nodes[0].broker.topic(named: "t")?.settings.history == 9, "the last that it could read")
        let later = try await Node(server)
        await #expect(throws: BrokerError.self) { try await later.broker.put(named: "t", fields) }
    }

    @Test func `a purge ends history on all nodes, and offsets go on`() async throws {
        let nodes = try await nodes(2)
        for number in 1...3 { try await nodes[0].publish(number) }
        try await nodes[1].has(3)
        #expect(try await nodes[1].broker.purgeTopic(named: "t", now: Node.now.steady) == 3)
        try await Node.eventually { try nodes[0].history().messages.isEmpty }
        #expect(try await nodes[0].publish(4).position.offset == 4)
    }

    @Test func `a node that comes later has what was published before, under the same positions`() async throws {
        let nodes = try await nodes(1)
        for number in 1...20 { try await nodes[0].publish(number, id: "id\(number)") }
        let late = try await Node(server)
        let (mine, other) = (try nodes[0].history(), try late.history())
        #expect(other.messages == mine.messages && other.epoch == mine.epoch && other.first == 1)
        #expect(try await late.publish(21).position.offset == 21)
        try await nodes[0].has(21)
    }

    @Test func `without JetStream nothing is acknowledged, and it heals by itself`() async throws {
        let nodes = try await nodes(2, patience: 4500)
        try await nodes[0].publish(1)
        server.isDown = true
        await #expect(throws: BrokerError.self) { try await nodes[0].publish(2) }
        await #expect(throws: BrokerError.self) { try await nodes[0].broker.create(named: "u") }
        #expect(!nodes[0].journal.status.isReady)
        #expect(try nodes[0].history().messages.count == 1, "reading goes on")
        server.isDown = false
        try await Node.eventually { nodes.allSatisfy { $0.journal.status.isReady } }
        let outcome = try await nodes[1].publish(3)
        for node in nodes {
            try await Node.eventually { try node.history().messages.count >= outcome.position.offset }
        }
        #expect(try nodes[0].history().messages == nodes[1].history().messages)
    }

    @Test func `what is published while a topic is deleted and made again is in the one that its ack names`()
        async throws
    {
        let nodes = try await nodes(2)
        let publishing = Task {
            var acked: [(String, Int)] = []
            for number in 0..<400 {
                if let outcome = try? await nodes[0].publish(number) { acked.append((outcome.position.epoch, number)) }
            }
            return acked
        }
        for round in 0..<5 {
            try await nodes[1].broker.delete(named: "t")
            _ = try await nodes[1].broker.create(named: "t")
            // Each topic lives until something is in it.
            try await nodes[1].publish(1000 + round)
        }
        let acked = await publishing.value
        let last = try await nodes[1].publish(-1)
        for node in nodes {
            try await Node.eventually { try node.history().messages.count >= last.position.offset }
        }
        let histories = try nodes.map { try $0.history() }
        #expect(histories[0].messages == histories[1].messages)
        // What was acknowledged in the last epoch is there, and nothing that was acknowledged in another one.
        for (epoch, number) in acked {
            let isThere = histories[0].messages.contains { $0.contains(#""payload":\#(number)}"#) }
            #expect(isThere == (epoch == histories[0].epoch), "\(number)")
        }
    }

    @Test func `a journal ends when all has an outcome, and refuses what comes later`() async throws {
        let nodes = try await nodes(1)
        async let last = nodes[0].publish(1)
        _ = try await last
        #expect(await nodes[0].journal.stop(within: .seconds(60)))
        await #expect(throws: BrokerError.self) { try await nodes[0].publish(2) }
        await #expect(throws: BrokerError.self) { try await nodes[0].broker.create(named: "u") }
    }
}
