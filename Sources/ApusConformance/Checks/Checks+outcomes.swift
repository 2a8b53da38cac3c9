import ApusClient
import ApusProtocol
import NIOHTTP1

// Extension 3: publishing.

extension ConformanceCheck {
    private static let part = Place.extension(.publishing)

    static let outcomes = results + keys + batches

    private static let results: [ConformanceCheck] = [
        Self("outcome.members", part, "With `outcome` the ack has epoch, offset, subscribers, stored and duplicate.") {
            bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            for offset in 1...3 {
                let ack = try await peer.published(name, Bench.message().text, #","outcome":true"#)
                try equal(ack.members, "offset", "\(offset)")
                try equal(ack.members, "subscribers", "0")
                try equal(ack.members, "duplicate", "false")
                try require(!(try ack.string("epoch").isEmpty), "'epoch' must not be empty")
                let stored = try ack.string("stored")
                let known = ["memory", "os", "disk", "replicated", "replicated-unsynced"]
                try require(known.contains(stored), "'stored' must be one of \(known), not \(stored)")
            }
        },
        Self("outcome.subscribers", part, "`subscribers` counts the subscriptions that the message was for.") { bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            let publisher = try await bench.peer()
            for client in ["a", "b", "c"] { try await peer.subscribed(name, as: client) }
            let ack = try await publisher.published(name, Bench.message().text, #","outcome":true"#)
            try equal(ack.members, "subscribers", "3")
        },
        Self("outcome.offset", part, "Its offset is the one that subscribers see.") { bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            let publisher = try await bench.peer()
            let position = try await peer.subscribed(name, as: "c", #","positions":true"#)
            let message = Bench.message()
            let ack = try await publisher.published(name, message.text, #","outcome":true"#)
            let event = try await peer.expectEvent(of: message.id)
            try require(
                ack.offset == event.offset,
                "the ack's offset is \(ack["offset"] ?? "none"), the event's \(event["offset"] ?? "none")"
            )
            try require(ack["epoch"] == position["epoch"], "the epochs of publisher and subscriber differ")
        },
        Self("outcome.values", part, "Another value of `outcome` is BAD_REQUEST, and nothing is published.") { bench in
            try await refusesToPublish("outcome", ["1", #""true""#], bench)
        },
    ]

    private static let keys: [ConformanceCheck] = [
        Self("key.events", part, "A key comes with the events of subscriptions that use an extension, and of no other.")
        {
            bench in
            let name = try await bench.topic()
            let (plain, extended) = (try await bench.peer(), try await bench.peer())
            try await plain.subscribed(name)
            try await extended.subscribed(name, as: "c", #","echo":true"#)
            let message = Bench.message()
            try await plain.published(name, message.text, #","key":"ORD-1""#)
            try await plain.expectEvent(name, message.text)
            try equal(try await extended.expectEvent(of: message.id).members, "key", #""ORD-1""#)
        },
        Self("key.values", part, "A key is a text of 1 to 256 bytes; else BAD_REQUEST.") { bench in
            try await refusesToPublish("key", [#""""#, "5", String(repeating: "k", count: 257).quoted], bench)
        },
        Self("ttl.expires", part, "A message is not replayed once its `ttl` has passed.") { bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            try await peer.published(name, Bench.message().text, #","ttl":"1ms""#)
            let kept = Bench.message()
            try await peer.published(name, kept.text, #","ttl":"1h""#)
            try await Task.sleep(for: .milliseconds(50))
            try await peer.subscribed(name, as: "c", #","last_n":10"#)
            try await peer.expectEvent(of: kept.id)
            try await peer.expectNothing()
        },
        Self("ttl.values", part, "`ttl` is a duration with its unit or a number of seconds; else BAD_REQUEST.") {
            bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            for value in [#""500ms""#, #""30s""#, #""1h""#, "30", "0.5"] {
                try await peer.published(name, Bench.message().text, #","ttl":\#(value)"#)
            }
            try await refusesToPublish("ttl", ["0", "-1", #""30""#, #""soon""#, "{}"], bench)
        },
        Self("dedupe", part, "Within a dedupe window a repetition is acknowledged as one, and not delivered again.") {
            bench in
            let name = await bench.name()
            let answer = try await bench.send(.PUT, "/topics/\(name)", body: #"{"dedupe_window":"1m"}"#)
            guard answer.status == 201 else { throw NotApplicable("no topic with a dedupe window (extension 5)") }
            let peer = try await bench.peer()
            try await peer.subscribed(name)
            let message = Bench.message()
            try await peer.published(name, message.text)
            try await peer.expectEvent(name, message.text)
            let again = try await peer.published(name, message.text, #","outcome":true"#)
            try equal(again.members, "duplicate", "true")
            try equal(again.members, "offset", "1")
            try await peer.expectNothing()
        },
    ]

    private static let batches: [ConformanceCheck] = [
        Self("batch.taken", part, "A batch is acknowledged once, with its count, and gets consecutive offsets.") {
            bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            try await peer.subscribed(name, as: "c", #","positions":true"#)
            let messages = (0..<5).map { Bench.message("\($0)") }
            try await sendBatch(messages.map(\.text), to: name, peer)
            let ack = try await peer.expectAck(name, isOpen: true)
            try equal(ack.members, "count", "5")
            try equal(ack.members, "offset", "1")
            for (index, message) in messages.enumerated() {
                try equal(try await peer.expectEvent(of: message.id).members, "offset", "\(index + 1)")
            }
        },
        Self("batch.all-or-none", part, "Of a batch with one wrong message none is taken.") { bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            try await peer.subscribed(name)
            try await sendBatch(
                [Bench.message().text, #"{"id":"","payload":1}"#, Bench.message().text],
                to: name,
                peer
            )
            try await peer.expectError(.badRequest)
            try await peer.expectNothing()
        },
        Self("batch.values", part, "`messages` is a list of at least one, and not beside `message`; else BAD_REQUEST.")
        { bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            for messages in ["[]", "{}", "[1]", #""x""#] {
                try await peer.send(#"{"type":"publish","topic":\#(name.quoted),"messages":\#(messages)}"#)
                try await peer.expectError(.badRequest)
            }
            let message = Bench.message().text
            try await peer.send(Peer.publication(name, message, #","messages":[\#(message)]"#))
            try await peer.expectError(.badRequest)
        },
    ]

    private static func sendBatch(_ messages: [String], to name: String, _ peer: Peer) async throws {
        let list = messages.joined(separator: ",")
        try await peer.send(#"{"type":"publish","topic":\#(name.quoted),"outcome":true,"messages":[\#(list)]}"#)
    }

    /// A publish with any of the values must be refused, in a text that names the member, and not done.
    private static func refusesToPublish(_ member: String, _ values: [String], _ bench: Bench) async throws {
        let (name, peer) = (try await bench.topic(), try await bench.peer())
        try await peer.subscribed(name)
        for value in values {
            try await peer.send(Peer.publication(name, Bench.message().text, #","\#(member)":\#(value)"#))
            try contains(try await peer.expectError(.badRequest), member, "the error's text")
        }
        try await peer.expectNothing()
    }
}
