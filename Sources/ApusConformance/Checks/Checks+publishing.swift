import ApusClient
import ApusProtocol

// Publishing without extensions.

extension ConformanceCheck {
    private static let part = Place.contract(2)

    static let publishing: [ConformanceCheck] = [
        Self("publish.ack", .contract(3), "A publish is acknowledged with its topic.") { bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            try await peer.published(name, Bench.message().text)
        },
        Self("publish.missing-topic", .contract(3), "Publishing to a missing topic is TOPIC_NOT_FOUND.") {
            bench in
            let (name, peer) = (await bench.name(), try await bench.peer())
            try await peer.send(Peer.publication(name, Bench.message().text))
            try contains(try await peer.expectError(.topicNotFound), name, "the error's text")
        },
        Self("publish.malformed-first", .contract(3), "A malformed publish is BAD_REQUEST before that.") {
            bench in
            let (name, peer) = (await bench.name(), try await bench.peer())
            try await peer.send(Peer.publication(name, #"{"id":"","payload":1}"#))
            try await peer.expectError(.badRequest)
        },
        Self("publish.message-members", part, "A message needs an id, a text, and a payload; else BAD_REQUEST.") {
            bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            let id = Bench.uuid()
            for message in [
                "{}", #"{"id":"\#(id)"}"#, #"{"payload":1}"#, #"{"id":5,"payload":1}"#, #"{"id":"","payload":1}"#,
                #"{"id":null,"payload":1}"#, "[]", "5", #""x""#,
            ] {
                try await peer.send(Peer.publication(name, message))
                try await peer.expectError(.badRequest)
            }
            try await peer.send(#"{"type":"publish","topic":\#(name.quoted)}"#)
            try await peer.expectError(.badRequest)
        },
        Self("publish.uuid", part, "On /ws the id is a UUID, dashed or not, and the refusal says so.", in: [.base]) {
            bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            let id = Bench.uuid()
            for wrong in ["order-1", String(id.dropLast()), id + "0", "g" + id.dropFirst()] {
                try await peer.send(Peer.publication(name, #"{"id":"\#(wrong)","payload":1}"#))
                try contains(try await peer.expectError(.badRequest), "UUID", "the error's text")
            }
            for right in [id, id.uppercased(), id.filter { $0 != "-" }] {
                try await peer.published(name, #"{"id":"\#(right)","payload":1}"#)
            }
        },
        Self("publish.any-id", .contract(1), "On /v1/ws the id is any text that is not empty.", in: [.v1]) {
            bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            for id in ["order-1", "ä", "x"] { try await peer.published(name, #"{"id":"\#(id)","payload":1}"#) }
        },
        Self("publish.any-payload", part, "The payload is any JSON value, `null` too.") { bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            try await peer.subscribed(name)
            for payload in ["null", "true", "-0.5e-3", #""text""#, "[]", "{}", #"{"a":[{"b":null}]}"#] {
                let message = Bench.message(payload)
                try await peer.published(name, message.text)
                try await peer.expectEvent(name, message.text)
            }
        },
        Self("publish.byte-for-byte", part, "The whole message is passed on byte for byte.") { bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            try await peer.subscribed(name)
            let message = #"""
                { "payload" : {"n":1.000000000000000000001, "big":123456789012345678901234567890,
                "s":"\u00e9é\/", "n":2 },
                "more":[ 1 , 2 ], "id":"\#(Bench.uuid())" }
                """#
            try await peer.published(name, message)
            try await peer.expectEvent(name, message)
        },
        Self(
            "publish.ack-before-event",
            .contract(4),
            "A publisher gets its ack before its own event."
        ) {
            bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            try await peer.subscribed(name)
            for _ in 0..<20 {
                let message = Bench.message()
                try await peer.send(Peer.publication(name, message.text))
                try await peer.expectAck(name)
                try await peer.expectEvent(name, message.text)
            }
        },
    ]
}
