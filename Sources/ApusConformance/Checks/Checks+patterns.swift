import ApusClient
import ApusProtocol

// Extensions 4 and 11: filters, presence, and topics that are not there yet.

extension ConformanceCheck {
    static let patterns = filters + presence

    private static let filters: [ConformanceCheck] = [
        Self(
            "pattern.star",
            .extension(.filters),
            "`*` stands for one part of a name; the event has the topic's own name."
        ) {
            bench in
            let root = await bench.name()
            for name in ["", ".a", ".b", ".a.c"] { try await bench.create(root + name) }
            let peer = try await bench.peer()
            try await peer.subscribed(root + ".*")
            for name in [".a", ".b"] {
                let message = Bench.message()
                try await peer.published(root, Bench.message().text)
                try await peer.published(root + ".a.c", Bench.message().text)
                try await peer.published(root + name, message.text)
                try await peer.expectEvent(root + name, message.text)
            }
            try await peer.expectNothing()
        },
        Self("pattern.tail", .extension(.filters), "`>` stands for one or more parts at the end.") { bench in
            let root = await bench.name()
            for name in ["", ".a", ".a.b"] { try await bench.create(root + name) }
            let peer = try await bench.peer()
            try await peer.subscribed(root + ".>")
            try await peer.published(root, Bench.message().text)
            for name in [".a", ".a.b"] {
                let message = Bench.message()
                try await peer.published(root + name, message.text)
                try await peer.expectEvent(root + name, message.text)
            }
            try await peer.expectNothing()
        },
        Self(
            "pattern.later",
            .extension(.filters),
            "Topics that are made later are matched from their first message on."
        ) {
            bench in
            let (root, peer) = (await bench.name(), try await bench.peer())
            try await peer.subscribed(root + ".*")
            try await bench.create(root + ".new")
            let message = Bench.message()
            try await peer.published(root + ".new", message.text)
            try await peer.expectEvent(root + ".new", message.text)
        },
        Self("pattern.two-copies", .extension(.filters), "Two subscriptions that match are two copies.") { bench in
            let (name, peer) = (try await bench.topic(".a"), try await bench.peer())
            try await peer.subscribed(name, as: "name")
            try await peer.subscribed(name.dropLast() + "*", as: "pattern")
            let message = Bench.message()
            try await peer.published(name, message.text)
            for _ in 0..<2 { try await peer.expectEvent(name, message.text) }
            try await peer.expectNothing()
        },
        Self("pattern.publish", .extension(.filters), "Publishing to a pattern is BAD_REQUEST.") { bench in
            let (name, peer) = (await bench.name(), try await bench.peer())
            try await peer.send(Peer.publication(name + ".*", Bench.message().text))
            try await peer.expectError(.badRequest)
        },
        Self("pattern.malformed", .extension(.filters), "A `*` or `>` that is no whole part is BAD_REQUEST.") { bench in
            let (name, peer) = (await bench.name(), try await bench.peer())
            for pattern in ["\(name)*", "\(name).>.a", "\(name).a>"] {
                try await peer.subscribe(pattern)
                try await peer.expectError(.badRequest)
            }
        },
        Self("pattern.positions", .extension(.filters), "Positions and `since` need the name of a topic.") { bench in
            let (name, peer) = (await bench.name(), try await bench.peer())
            for more in [#","positions":true"#, #","since":"all""#] {
                try await peer.subscribe(name + ".*", as: "c", more)
                try await peer.expectError(.badRequest)
            }
        },
    ]

    private static let presence: [ConformanceCheck] = [
        Self(
            "presence.joined",
            .extension(.filters),
            "With `presence` others' beginnings and ends are told, not one's own."
        ) {
            bench in
            let name = try await bench.topic()
            let (peer, other) = (try await bench.peer(), try await bench.peer())
            try await peer.subscribed(name, as: "c", #","presence":true"#)
            try await other.subscribed(name, as: "other")
            try equal(try await peer.expectInfo("joined", name).members, "client_id", #""other""#)
            await other.connection.abort()
            try equal(try await peer.expectInfo("left", name).members, "client_id", #""other""#)
            try await peer.expectNothing()
        },
        Self("presence.values", .extension(.filters), "Another value of `presence` is BAD_REQUEST, naming it.") {
            bench in
            try await refuses("presence", ["1", #""yes""#], bench)
        },
    ]

    static let waiting: [ConformanceCheck] = [
        Self(
            "wait.ack",
            .extension(.waiting),
            "With `wait` a missing topic is acknowledged as `waiting`, without a position."
        ) {
            bench in
            let (name, peer) = (await bench.name(), try await bench.peer())
            let ack = try await peer.subscribed(name, as: "c", #","wait":true,"positions":true"#)
            try equal(ack.members, "waiting", "true")
            try require(ack["epoch"] == nil && ack["offset"] == nil, "there must be no position in \(ack.text)")
        },
        Self(
            "wait.created",
            .extension(.waiting),
            "When it is made, `topic_created` comes, then its events from offset 1."
        ) {
            bench in
            let (name, peer) = (await bench.name(), try await bench.peer())
            try await peer.subscribed(name, as: "c", #","wait":true,"positions":true"#)
            for _ in 0..<2 {
                try await bench.create(name)
                let message = Bench.message()
                try await peer.send(Peer.publication(name, message.text))
                var (sawAck, created, first): (Bool, Reply?, Reply?) = (false, nil, nil)
                while !sawAck || first == nil {
                    let reply = try await peer.next()
                    switch reply.type {
                    case "ack": sawAck = true
                    case "event": first = reply
                    default: created = reply
                    }
                    try require(first == nil || created != nil, "an event came before `topic_created`")
                }
                try require(created?["msg"] == #""topic_created""#, "`topic_created` must come")
                try require(!(try created?.string("epoch") ?? "").isEmpty, "`topic_created` must have an epoch")
                try require(first?.id == message.id && first?.offset == 1, "the first event must be at offset 1")
                // And it waits again.
                _ = try await bench.delete(name)
                try await peer.expectInfo("topic_deleted", name)
            }
        },
        Self("wait.not-recovered", .extension(.waiting), "A position whose epoch is gone is told by `not_recovered`.") {
            bench in
            let (name, peer) = (await bench.name(), try await bench.peer())
            try await peer.subscribed(name, as: "c", #","wait":true,"since":{"epoch":"gone","offset":4}"#)
            try await bench.create(name)
            try await peer.expectInfo("topic_created", name)
            let info = try await peer.expectInfo("not_recovered", name)
            try equal(info.members, "recovered", "false")
            try equal(info.members, "offset", "0")
        },
        Self("wait.present", .extension(.waiting), "Where the topic is there, `wait` changes nothing.") { bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            let ack = try await peer.subscribed(name, as: "c", #","wait":true,"positions":true"#)
            try require(ack["waiting"] == nil, "there must be no 'waiting' in \(ack.text)")
            try equal(ack.members, "offset", "0")
        },
        Self(
            "wait.unsubscribe",
            .extension(.waiting),
            "A waiting subscription can be ended; nothing comes after the ack."
        ) {
            bench in
            let (name, peer) = (await bench.name(), try await bench.peer())
            try await peer.subscribed(name, as: "c", #","wait":true"#)
            try await peer.send(#"{"type":"unsubscribe","topic":\#(name.quoted),"client_id":"c"}"#)
            try await peer.expectAck(name)
            try await bench.create(name)
            try await peer.expectNothing()
        },
        Self("wait.pattern", .extension(.waiting), "`wait` needs the name of a topic.") { bench in
            let (name, peer) = (await bench.name(), try await bench.peer())
            try await peer.subscribe(name + ".*", as: "c", #","wait":true"#)
            try await peer.expectError(.badRequest)
        },
    ]
}
