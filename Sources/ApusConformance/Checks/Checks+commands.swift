import ApusClient
import ApusProtocol

// What clients send, and how it is answered.

extension ConformanceCheck {
    private static let part = Place.contract(2)

    static let commands = answers + requestIDs + refusals

    private static let answers: [ConformanceCheck] = [
        Self("ping.pong", part, "A ping is answered by a pong.") { bench in
            let peer = try await bench.peer()
            try await peer.send(#"{"type":"ping"}"#)
            try await peer.expect(["type": #""pong""#])
        },
        Self("commands.order", part, "The commands of a connection are answered in their order.") { bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            let kinds = [
                #"{"type":"ping","request_id":"#, #"{"type":"nonsense","request_id":"#,
                #"{"type":"subscribe","topic":"\#(name)","client_id":"c","request_id":"#,
                #"{"type":"publish","topic":"no-such-\#(name)","message":\#(Bench.message().text),"request_id":"#,
            ]
            let texts = (0..<60).map { kinds[$0 % kinds.count] + "\($0)}" }
            try await peer.send(texts)
            for number in 0..<60 {
                let reply = try await peer.next()
                try require(
                    reply["request_id"] == "\(number)",
                    "the answer to command \(number) must come, not \(reply.text.shortened)"
                )
            }
        },
        Self("commands.unknown-members", part, "Members that a command does not have are ignored.") { bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            try await peer.send(#"{"payload":[1],"type":"ping","topic":5,"no_such_member":{}}"#)
            try await peer.expect(["type": #""pong""#])
            try await peer.subscribe(name, as: "c", #","api_key":1,"no_such_member":"x""#)
            try await peer.expectAck(name)
        },
        Self("commands.null", part, "`null` counts as absent.") { bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            try await peer.subscribe(name, as: "c", #","last_n":null,"request_id":null"#)
            try await peer.expectAck(name)
            try await peer.send(#"{"type":"subscribe","topic":null,"client_id":"c"}"#)
            try await peer.expectError(.badRequest)
        },
    ]

    private static let requestIDs: [ConformanceCheck] = [
        Self("request-id.echo", part, "A request_id is echoed as it is written, text or number.") { bench in
            let peer = try await bench.peer()
            for id in [#""r1""#, "7", "7.0", "-1e3", #""é\u00e9\"\\""#, #""""#] {
                try await peer.send(#"{"type":"ping","request_id":\#(id)}"#)
                try await peer.expect(["type": #""pong""#, "request_id": id])
            }
        },
        Self("request-id.in-acks", part, "Acks have the command's request_id.") { bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            try await peer.subscribe(name, as: "c", #","request_id":"s""#)
            try await peer.expectAck(name, request: #""s""#)
            try await peer.send(#"{"type":"unsubscribe","topic":\#(name.quoted),"client_id":"c","request_id":"u"}"#)
            try await peer.expectAck(name, request: #""u""#)
            try await peer.send(Peer.publication(name, Bench.message().text, #","request_id":"p""#))
            try await peer.expectAck(name, request: #""p""#)
        },
        Self("request-id.in-errors", part, "Errors have it, too, wherever the command was JSON.") { bench in
            let peer = try await bench.peer()
            try await peer.send(#"{"type":"nonsense","request_id":"e"}"#)
            try await peer.expectError(.badRequest, request: #""e""#)
            try await peer.subscribe("no-such-\(await bench.name())", as: "c", #","request_id":9"#)
            try await peer.expectError(.topicNotFound, request: "9")
        },
        Self("request-id.bounds", part, "A request_id of another kind, or of over 256 bytes, is BAD_REQUEST.") {
            bench in
            let peer = try await bench.peer()
            let long = String(repeating: "x", count: 257)
            for id in ["true", "[]", "{}", #""\#(long)""#] {
                try await peer.send(#"{"type":"ping","request_id":\#(id)}"#)
                try await peer.expectError(.badRequest)
            }
            let longest = String(repeating: "x", count: 256).quoted
            try await peer.send(#"{"type":"ping","request_id":\#(longest)}"#)
            try await peer.expect(["type": #""pong""#, "request_id": longest])
        },
    ]

    private static let refusals: [ConformanceCheck] = [
        Self("commands.no-json", .contract(3), "What is not JSON, or no object, is BAD_REQUEST.") { bench in
            let peer = try await bench.peer()
            for text in ["", "hello", "{", "[]", "5", "null", #"{"type":"ping",}"#, #"{"type":"ping"} x"#] {
                try await peer.send(text)
                try await peer.expectError(.badRequest)
            }
        },
        Self("commands.unknown-type", .contract(3), "An unknown or missing `type` is BAD_REQUEST.") {
            bench in
            let peer = try await bench.peer()
            for text in ["{}", #"{"type":"nonsense"}"#, #"{"type":5}"#, #"{"type":"PING"}"#] {
                try await peer.send(text)
                try await peer.expectError(.badRequest)
            }
        },
        Self("commands.errors-keep-open", .contract(3), "The connection stays open after an error.") {
            bench in
            let peer = try await bench.peer()
            for _ in 0..<20 { try await peer.send("nonsense") }
            for _ in 0..<20 { try await peer.expectError(.badRequest) }
            try await peer.expectNothing()
        },
        Self("subscribe.members", part, "A subscribe without topic or client_id, or with other kinds, is BAD_REQUEST.")
        {
            bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            for members in [
                #""topic":"\#(name)""#, #""client_id":"c""#, #""topic":"","client_id":"c""#,
                #""topic":"\#(name)","client_id":"""#, #""topic":5,"client_id":"c""#,
                #""topic":"\#(name)","client_id":["c"]"#,
            ] {
                try await peer.send(#"{"type":"subscribe",\#(members)}"#)
                try await peer.expectError(.badRequest)
            }
        },
        Self("subscribe.last-n-kinds", part, "`last_n` is an integer, 0 or more, or one in a string; else BAD_REQUEST.")
        {
            bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            for value in ["-1", "1.5", #""x""#, "true", "[]", #""-1""#] {
                try await peer.subscribe(name, as: "c", #","last_n":\#(value)"#)
                try await peer.expectError(.badRequest)
            }
            for value in ["0", "3", #""2""#, "99999999999999999999"] {
                try await peer.subscribe(name, as: "c", #","last_n":\#(value)"#)
                try await peer.expectAck(name)
            }
        },
        Self("subscribe.missing-topic", .contract(3), "Subscribing to a missing topic is TOPIC_NOT_FOUND.") {
            bench in
            let (name, peer) = (await bench.name(), try await bench.peer())
            try await peer.subscribe(name)
            try contains(try await peer.expectError(.topicNotFound), name, "the error's text")
        },
        Self("unsubscribe.missing-topic", .contract(3), "Unsubscribing there is TOPIC_NOT_FOUND, too.") {
            bench in
            let (name, peer) = (await bench.name(), try await bench.peer())
            try await peer.send(#"{"type":"unsubscribe","topic":\#(name.quoted),"client_id":"c"}"#)
            try contains(try await peer.expectError(.topicNotFound), name, "the error's text")
        },
    ]
}
