import ApusClient
import ApusProtocol
import NIOHTTP1

// Extensions 1 and 2: positions, recovery, and a policy for each subscription.

extension ConformanceCheck {
    static let positions = counting + resuming

    private static let counting: [ConformanceCheck] = [
        Self(
            "positions.ack",
            .extension(.positions),
            "With `positions` the ack has epoch and offset, 0 where nothing was."
        ) {
            bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            let ack = try await peer.subscribed(name, as: "c", #","positions":true"#)
            try require(try ack.integer("offset") == 0, "a new topic's offset must be 0")
            try require(!(try ack.string("epoch").isEmpty), "'epoch' must not be empty")
        },
        Self(
            "positions.offsets",
            .extension(.positions),
            "Events count 1, 2, 3 …, for all subscribers and dialects alike."
        ) {
            bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            try await peer.subscribed(name, as: "c", #","positions":true"#)
            for offset in 1...5 {
                let message = Bench.message()
                try await peer.published(name, message.text)
                let event = try await peer.expectEvent(of: message.id)
                try require(event.offset == offset, "'offset' must be \(offset) in \(event.text.shortened)")
            }
        },
        Self("positions.opt-in", .extension(.positions), "Without `positions` neither ack nor events have an offset.") {
            bench in
            let name = try await bench.topic()
            let (plain, other) = (try await bench.peer(), try await bench.peer())
            try await other.subscribed(name, as: "c", #","positions":true"#)
            try await plain.subscribe(name)
            try await plain.expectAck(name)
            let message = Bench.message()
            try await plain.published(name, message.text)
            try await plain.expectEvent(name, message.text)
        },
        Self("positions.new-epoch", .extension(.positions), "A topic that is deleted and made again has another epoch.")
        {
            bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            let before = try await epoch(name, peer)
            _ = try await bench.delete(name)
            try await bench.create(name)
            let after = try await epoch(name, try await bench.peer())
            try require(before != after, "the epoch is the same as before")
        },
        Self("positions.values", .extension(.positions), "Another value of `positions` is BAD_REQUEST, naming it.") {
            bench in
            try await refuses("positions", ["1", #""true""#, "[]"], bench)
        },
    ]

    private static let resuming: [ConformanceCheck] = [
        Self(
            "since.resume",
            .extension(.positions),
            "`since` a position replays exactly what came after it: recovered."
        ) {
            bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            let messages = try await fill(name, 6, peer)
            let epoch = try await epoch(name, peer)
            let ack = try await peer.subscribed(name, as: "c", #","since":{"epoch":"\#(epoch)","offset":4}"#)
            try require(ack["recovered"] == "true", "'recovered' must be true in \(ack.text)")
            for (index, message) in messages.enumerated().dropFirst(4) {
                let event = try await peer.expectEvent(of: message.id)
                try require(event.offset == index + 1, "'offset' must be \(index + 1) in \(event.text.shortened)")
            }
            try await peer.expectNothing()
        },
        Self("since.over-drops", .extension(.positions), "Over cut connections each message comes exactly once.") {
            bench in
            let (name, publisher) = (try await bench.topic(), try await bench.peer())
            let messages = try await fill(name, 40, publisher)
            let epoch = try await epoch(name, publisher)
            var seen = 0
            while seen < messages.count {
                let peer = try await bench.peer()
                try await peer.subscribed(name, as: "c", #","since":{"epoch":"\#(epoch)","offset":\#(seen)}"#)
                for _ in 0..<min(7, messages.count - seen) {
                    try await peer.expectEvent(of: messages[seen].id)
                    seen += 1
                }
                await peer.connection.abort()
            }
        },
        Self("since.last", .extension(.positions), "`since` the last offset replays nothing and is recovered.") {
            bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            _ = try await fill(name, 3, peer)
            let epoch = try await epoch(name, peer)
            let ack = try await peer.subscribed(name, as: "c", #","since":{"epoch":"\#(epoch)","offset":3}"#)
            try require(ack["recovered"] == "true", "'recovered' must be true in \(ack.text)")
            try await peer.expectNothing()
        },
        Self(
            "since.other-epoch",
            .extension(.positions),
            "A position of another epoch is not recovered; all that is kept comes."
        ) {
            bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            let messages = try await fill(name, 3, peer)
            let ack = try await peer.subscribed(name, as: "c", #","since":{"epoch":"no-such","offset":2}"#)
            try require(ack["recovered"] == "false", "'recovered' must be false in \(ack.text)")
            try require(ack["missed"] == nil, "there must be no 'missed' of another epoch")
            for message in messages { try await peer.expectEvent(of: message.id) }
        },
        Self("since.future", .extension(.positions), "An offset that was never handed out is BAD_REQUEST.") { bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            let epoch = try await epoch(name, peer)
            try await peer.subscribe(name, as: "c", #","since":{"epoch":"\#(epoch)","offset":99}"#)
            try await peer.expectError(.badRequest)
        },
        Self("since.times", .extension(.positions), "`since` takes a duration, an RFC 3339 time, and `all`.") { bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            let messages = try await fill(name, 3, peer)
            for (index, since) in ["all", "10m", "2020-01-01T00:00:00Z"].enumerated() {
                try await peer.subscribed(name, as: "c\(index)", #","since":"\#(since)""#)
                for message in messages { try await peer.expectEvent(of: message.id) }
                try await peer.send(#"{"type":"unsubscribe","topic":\#(name.quoted),"client_id":"c\#(index)"}"#)
                try await peer.expectAck(name)
            }
            try await peer.subscribed(name, as: "late", #","since":"2100-01-01T00:00:00Z""#)
            try await peer.expectNothing()
        },
        Self("since.excludes-last-n", .extension(.positions), "`since` and `last_n` exclude each other.") { bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            try await peer.subscribe(name, as: "c", #","since":"all","last_n":1"#)
            try await peer.expectError(.badRequest)
        },
        Self("since.values", .extension(.positions), "Another value of `since` is BAD_REQUEST, naming it.") { bench in
            try await refuses(
                "since",
                ["5", #""soon""#, "{}", #"{"epoch":"e"}"#, #"{"epoch":"e","offset":-1}"#],
                bench
            )
        },
        Self("since.missed", .extension(.positions), "What history no longer has is told as `missed`, the rest comes.")
        { bench in
            let name = await bench.name()
            let answer = try await bench.send(.PUT, "/topics/\(name)", body: #"{"history":3}"#)
            guard answer.status == 201 else { throw NotApplicable("no topic with a history of its own (extension 5)") }
            let peer = try await bench.peer()
            let messages = try await fill(name, 10, peer)
            let epoch = try await epoch(name, peer)
            let ack = try await peer.subscribed(name, as: "c", #","since":{"epoch":"\#(epoch)","offset":2}"#)
            try require(ack["recovered"] == "false", "'recovered' must be false in \(ack.text)")
            let missed = ack.members["missed"]?.members ?? [:]
            try equal(missed, "from", "3")
            try equal(missed, "to", "7")
            for message in messages.suffix(3) { try await peer.expectEvent(of: message.id) }
        },
    ]

    static let policies: [ConformanceCheck] = [
        Self("overflow.values", .extension(.policies), "Each policy is taken, another one is BAD_REQUEST, naming it.") {
            bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            for policy in ["drop-oldest", "drop-newest", "latest", "disconnect"] {
                try await peer.subscribed(name, as: policy, #","overflow":"\#(policy)""#)
            }
            try await refuses("overflow", [#""no-such-policy""#, "1", "[]"], bench)
        },
        Self(
            "queue.values",
            .extension(.policies),
            "`queue` is an integer, 1 or more, up to a maximum; else BAD_REQUEST."
        ) {
            bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            try await peer.subscribed(name, as: "c", #","queue":1"#)
            try await refuses("queue", ["0", "-1", "1.5", #""5""#, "99999999999"], bench)
        },
        Self(
            "echo.off",
            .extension(.policies),
            "With `echo: false` one's own messages do not come, those of others do."
        ) {
            bench in
            let name = try await bench.topic()
            let (own, other) = (try await bench.peer(), try await bench.peer())
            try await own.subscribed(name, as: "c", #","echo":false"#)
            try await own.published(name, Bench.message().text)
            let message = Bench.message()
            try await other.published(name, message.text)
            try await own.expectEvent(of: message.id)
            try await own.expectNothing()
        },
        Self("echo.values", .extension(.policies), "Another value of `echo` is BAD_REQUEST, naming it.") { bench in
            try await refuses("echo", ["0", #""no""#], bench)
        },
    ]

    // MARK: Parts

    /// The epoch that a topic has now.
    static func epoch(_ name: String, _ peer: Peer) async throws -> String {
        let epoch = try await peer.subscribed(name, as: "epoch", #","positions":true"#).string("epoch")
        try await peer.send(#"{"type":"unsubscribe","topic":\#(name.quoted),"client_id":"epoch"}"#)
        try await peer.expectAck(name)
        return epoch
    }

    /// A subscribe with any of the values must be refused, in a text that names the member.
    static func refuses(_ member: String, _ values: [String], _ bench: Bench) async throws {
        let (name, peer) = (try await bench.topic(), try await bench.peer())
        for value in values {
            try await peer.subscribe(name, as: "c", #","\#(member)":\#(value)"#)
            try contains(try await peer.expectError(.badRequest), member, "the error's text")
        }
    }
}
