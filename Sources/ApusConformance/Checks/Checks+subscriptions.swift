import ApusClient
import ApusProtocol
import NIOCore

// Who gets what: acks, replays, ends.

extension ConformanceCheck {
    private static let part = Place.contract(4)

    static let subscriptions = beginnings + replays + ends

    private static let beginnings: [ConformanceCheck] = [
        Self(
            "subscribe.ack",
            .contract(3),
            "A subscribe is acknowledged, with no member beyond the contract."
        ) {
            bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            try await peer.subscribe(name)
            try await peer.expectAck(name)
            try await peer.expectNothing()
        },
        Self("event.form", .contract(3), "A plain event has topic, message and time, and nothing else.") {
            bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            try await peer.subscribed(name)
            let message = Bench.message(#"{"order":"ORD-123"}"#)
            try await peer.published(name, message.text)
            try await peer.expectEvent(name, message.text)
        },
        Self(
            "event.other-dialect",
            .contract(1),
            "A message published in one dialect arrives in the other.",
            in: [.v1]
        ) { bench in
            let name = try await bench.topic()
            let (old, new) = (try await bench.peer(in: .base), try await bench.peer())
            try await old.subscribed(name)
            try await new.subscribed(name)
            for publisher in [old, new] {
                let message = Bench.message()
                try await publisher.published(name, message.text)
                try await old.expectEvent(name, message.text)
                try await new.expectEvent(name, message.text)
            }
        },
        Self("subscribe.two-clients", part, "Two client_ids on one connection are two subscriptions, with a copy each.")
        {
            bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            try await peer.subscribed(name, as: "a")
            try await peer.subscribed(name, as: "b")
            let message = Bench.message()
            try await peer.published(name, message.text)
            for _ in 0..<2 { try await peer.expectEvent(name, message.text) }
            try await peer.expectNothing()
        },
        Self("subscribe.same-client", part, "One client_id on several connections is as many subscriptions.") { bench in
            let (name, publisher) = (try await bench.topic(), try await bench.peer())
            var peers: [Peer] = []
            for _ in 0..<5 { peers.append(try await bench.peer()) }
            for peer in peers { try await peer.subscribed(name, as: "same") }
            let message = Bench.message()
            try await publisher.published(name, message.text)
            for peer in peers { try await peer.expectEvent(name, message.text) }
            for peer in peers { try await peer.expectNothing() }
        },
        Self("subscribe.again", part, "Subscribing again is acknowledged and replays again, and remains one copy.") {
            bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            let old = Bench.message()
            try await peer.published(name, old.text)
            for _ in 0..<2 {
                try await peer.subscribed(name, as: "c", #","last_n":1"#)
                try await peer.expectEvent(name, old.text)
            }
            let new = Bench.message()
            try await peer.published(name, new.text)
            try await peer.expectEvent(name, new.text)
            try await peer.expectNothing()
        },
    ]

    private static let replays: [ConformanceCheck] = [
        Self("replay.last-n", .contract(5), "`last_n` replays the last so many messages, oldest first.") {
            bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            let messages = try await fill(name, 5, peer)
            try await peer.subscribed(name, as: "c", #","last_n":3"#)
            for message in messages.suffix(3) { try await peer.expectEvent(name, message.text) }
            try await peer.expectNothing()
        },
        Self("replay.none", part, "Without `last_n`, and with 0, nothing is replayed.") { bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            _ = try await fill(name, 3, peer)
            try await peer.subscribed(name, as: "a")
            try await peer.subscribed(name, as: "b", #","last_n":0"#)
            try await peer.expectNothing()
        },
        Self("replay.all", .contract(5), "A `last_n` above what is kept replays all that is kept.") {
            bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            let messages = try await fill(name, 3, peer)
            try await peer.subscribed(name, as: "c", #","last_n":1000000"#)
            for message in messages { try await peer.expectEvent(name, message.text) }
            try await peer.expectNothing()
        },
        Self("replay.newest", .contract(5), "Of many messages the newest are kept, without a hole.") {
            bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            let messages = try await fill(name, 150, peer)
            try await peer.subscribed(name, as: "c", #","last_n":150"#)
            try await peer.send(#"{"type":"ping","request_id":"end"}"#)
            var kept: [String] = []
            while kept.last != messages.last?.id {
                let reply = try await peer.next()
                if reply.type == "pong" { continue }
                kept.append(try reply.id ?? reply.string("message"))
            }
            try require(
                kept == messages.suffix(kept.count).map(\.id),
                "the \(kept.count) replayed messages are not the last ones in their order"
            )
        },
        Self(
            "replay.then-live",
            part,
            "The ack comes before the replay, the replay before live messages: no gap, no double."
        ) {
            bench in
            let name = try await bench.topic()
            let (publisher, peer) = (try await bench.peer(), try await bench.peer())
            let messages = (0..<200).map { Bench.message("\($0)") }
            for message in messages.prefix(20) { try await publisher.published(name, message.text) }
            async let rest: Void = publish(messages.dropFirst(20), to: name, publisher)
            try await peer.subscribed(name, as: "c", #","last_n":20"#)
            let first = try await peer.next()
            guard let start = messages.firstIndex(where: { $0.id == first.id }) else {
                throw Fault("an event must come, not \(first.text.shortened)")
            }
            for message in messages[(start + 1)...] { try await peer.expectEvent(name, message.text) }
            try await rest
            try await peer.expectNothing()
        },
    ]

    private static let ends: [ConformanceCheck] = [
        Self("unsubscribe.ends", part, "After the ack of an unsubscribe no event comes.") { bench in
            let name = try await bench.topic()
            let (publisher, peer) = (try await bench.peer(), try await bench.peer())
            try await peer.subscribed(name)
            try await peer.send(#"{"type":"unsubscribe","topic":\#(name.quoted),"client_id":"c"}"#)
            try await peer.expectAck(name)
            try await publisher.published(name, Bench.message().text)
            try await peer.expectNothing()
        },
        Self("unsubscribe.none", part, "Unsubscribing what is not subscribed is acknowledged.") { bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            try await peer.send(#"{"type":"unsubscribe","topic":\#(name.quoted),"client_id":"nobody"}"#)
            try await peer.expectAck(name)
        },
        Self("unsubscribe.one", part, "Unsubscribing one client_id leaves the connection's others.") { bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            for client in ["a", "b"] { try await peer.subscribed(name, as: client) }
            try await peer.send(#"{"type":"unsubscribe","topic":\#(name.quoted),"client_id":"a"}"#)
            try await peer.expectAck(name)
            let message = Bench.message()
            try await peer.published(name, message.text)
            try await peer.expectEvent(name, message.text)
            try await peer.expectNothing()
        },
        Self("connection.end", part, "A connection's end removes its subscriptions.") { bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            try await peer.subscribed(name)
            await peer.connection.close(timeout: TimeAmount(bench.server.patience))
            for _ in 0..<100 {
                if try await subscribers(of: name, bench) == 0 { return }
                try await Task.sleep(for: bench.server.patience / 100)
            }
            throw Fault("the topic still has a subscriber after the connection's end")
        },
        Self(
            "topic.deleted",
            part,
            "A deleted topic's messages come first, then `topic_deleted`, and the subscription ends."
        ) {
            bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            try await peer.subscribed(name)
            let message = Bench.message()
            try await peer.published(name, message.text)
            _ = try bench.members(try await bench.delete(name), status: 200)
            try await peer.expectEvent(name, message.text)
            try await peer.expect(["type": #""info""#, "topic": name.quoted, "msg": #""topic_deleted""#])
            // A server may disconnect the topic's subscribers, as R0 and R4 do.
            let connection = peer.connection
            let end = try? await within(.milliseconds(100)) { try await connection.receive() }
            if let end, case .close(let close) = end {
                return try require(close.code == 1000, "the connection must be closed with 1000, not \(close.code)")
            }
            try await bench.create(name)
            let publisher = try await bench.peer()
            try await publisher.published(name, Bench.message().text)
            try await peer.expectNothing()
        },
    ]

    /// Publishes so many messages, one after the other.
    static func fill(_ name: String, _ count: Int, _ peer: Peer, _ more: String = "") async throws -> [(
        id: String, text: String
    )] {
        let messages = (0..<count).map { Bench.message("\($0)") }
        for message in messages { try await peer.published(name, message.text, more) }
        return messages
    }

    static func publish(
        _ messages: ArraySlice<(id: String, text: String)>,
        to name: String,
        _ peer: Peer
    ) async throws {
        for message in messages { try await peer.published(name, message.text) }
    }
}
