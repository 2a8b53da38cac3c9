import ApusClient
import ApusProtocol

// Many messages, and many who get them.

extension ConformanceCheck {
    private static let part = Place.contract(4)

    static let delivery: [ConformanceCheck] = [
        Self("delivery.once", part, "Every subscriber gets every message once, and none of another topic.") { bench in
            let (one, other) = (try await bench.topic(), try await bench.topic())
            let publisher = try await bench.peer()
            var peers: [Peer] = []
            for _ in 0..<4 { peers.append(try await bench.peer()) }
            for (index, peer) in peers.enumerated() { try await peer.subscribed(index % 2 == 0 ? one : other) }
            for _ in 0..<25 {
                let (first, second) = (Bench.message(), Bench.message())
                try await publisher.published(one, first.text)
                try await publisher.published(other, second.text)
                for (index, peer) in peers.enumerated() {
                    try await peer.expectEvent(index % 2 == 0 ? one : other, index % 2 == 0 ? first.text : second.text)
                }
            }
            for peer in peers { try await peer.expectNothing() }
        },
        Self("delivery.same-order", part, "All subscribers of a topic see one order, whoever publishes.") { bench in
            let name = try await bench.topic()
            var (peers, publishers): ([Peer], [Peer]) = ([], [])
            for _ in 0..<3 { peers.append(try await bench.peer()) }
            for _ in 0..<3 { publishers.append(try await bench.peer()) }
            for peer in peers { try await peer.subscribed(name) }
            let sent = publishers.map { _ in (0..<60).map { Bench.message("\($0)") } }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (publisher, messages) in zip(publishers, sent) {
                    group.addTask { try await publish(messages[...], to: name, publisher) }
                }
                try await group.waitForAll()
            }
            var orders: [[String]] = []
            for peer in peers {
                var order: [String] = []
                for _ in 0..<180 { order.append(try await peer.next().id ?? "") }
                orders.append(order)
            }
            try require(Set(orders).count == 1, "the subscribers have seen different orders")
            for messages in sent {
                let own = Set(messages.map(\.id))
                try require(
                    orders[0].filter(own.contains) == messages.map(\.id),
                    "a publisher's messages were lost, doubled or have changed places"
                )
            }
        },
        Self("delivery.burst", .contract(5), "A subscriber that reads misses nothing of a burst of 1,000.") {
            bench in
            let name = try await bench.topic()
            let (publisher, peer) = (try await bench.peer(), try await bench.peer())
            try await peer.subscribed(name)
            let messages = (0..<1000).map { Bench.message("\($0)") }
            async let acks: Void = burst(messages, to: name, publisher)
            for message in messages { try await peer.expectEvent(name, message.text) }
            try await acks
            try await peer.expectNothing()
        },
        Self(
            "delivery.slow",
            .contract(5),
            "What a slow subscriber misses is told, or it is cut as SLOW_CONSUMER."
        ) {
            bench in
            try await slowSubscriber(bench)
        },
        Self(
            "delivery.slow-alone",
            .contract(5),
            "One that does not read delays no other, except under throttle."
        ) {
            bench in
            let name = try await bench.topic()
            let (slow, fast) = (try await bench.peer(isSlow: true), try await bench.peer())
            let publisher = try await bench.peer()
            try await slow.subscribed(name, as: "slow")
            try await fast.subscribed(name, as: "fast")
            let filler = String(repeating: "x", count: 16 << 10).quoted
            for _ in 0..<600 {
                let message = Bench.message(filler)
                try await publisher.send(Peer.publication(name, message.text))
                guard let ack = try? await publisher.next() else { throw NotApplicable("publishers wait: throttle") }
                try require(ack.type == "ack", "a publish must be acknowledged, not \(ack.text.shortened)")
                try await fast.expectEvent(of: message.id)
            }
        },
    ]

    /// Publishes them in groups of 50, whose acks are awaited together.
    private static func burst(_ messages: [(id: String, text: String)], to name: String, _ peer: Peer) async throws {
        for start in stride(from: 0, to: messages.count, by: 50) {
            let group = messages[start..<min(start + 50, messages.count)]
            try await peer.send(group.map { Peer.publication(name, $0.text) })
            for _ in group { try await peer.expectAck(name) }
        }
    }

    private static func slowSubscriber(_ bench: Bench) async throws {
        let name = try await bench.topic()
        let (slow, publisher) = (try await bench.peer(isSlow: true), try await bench.peer())
        try await slow.subscribed(name)
        let filler = String(repeating: "x", count: 4096).quoted
        let messages = (0..<4000).map { _ in Bench.message(filler) }
        async let acks: Void = burst(messages, to: name, publisher)
        // Until the queue is full, or publishers are held back.
        try await Task.sleep(for: .milliseconds(800))
        var (received, dropped, last) = (0, 0, -1)
        let places = Dictionary(uniqueKeysWithValues: messages.enumerated().map { ($0.element.id, $0.offset) })
        while received + dropped < messages.count {
            guard case .text(let text) = try await slow.message() else { break }
            let reply = try Reply(text)
            if let id = reply.id, let place = places[id] {
                try require(place > last, "message \(place) came after message \(last)")
                (received, last) = (received + 1, place)
            } else if reply["msg"] == #""messages_dropped""# {
                dropped += try reply.integer("dropped")
            } else if reply.type == "error" {
                try require(reply.code == "SLOW_CONSUMER", "the error must be SLOW_CONSUMER: \(reply.text.shortened)")
                try await slow.expectClose(1008)
                _ = try? await acks
                return
            }
        }
        try await acks
        try require(
            received + dropped == messages.count,
            "of \(messages.count) messages \(received) came and \(dropped) were told as dropped"
        )
    }
}
