import ApusClient
import ApusProtocol
import NIOCore
import NIOHTTP1
import NIOWebSocket

// Extensions 5, 7, 8 and 9: topics with settings, closes, access, durability.

extension ConformanceCheck {
    static let topics: [ConformanceCheck] = [
        Self("topics.put", .extension(.topics), "PUT makes a topic with settings (201) or changes them (200).") {
            bench in
            let name = await bench.name()
            _ = try bench.members(try await put(name, #"{"history":7}"#, bench), status: 201)
            _ = try bench.members(try await put(name, #"{"queue":9}"#, bench), status: 200)
            let settings = try await topic(name, bench)["settings"]?.members ?? [:]
            try equal(settings, "history", "7")
            try equal(settings, "queue", "9")
        },
        Self("topics.get", .extension(.topics), "GET shows epoch, first and last offset, bytes and subscribers.") {
            bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            _ = try await fill(name, 3, peer)
            try await peer.subscribed(name)
            let members = try await topic(name, bench)
            try equal(members, "first", "1")
            try equal(members, "last", "3")
            try equal(members, "subscribers", "1")
            try require(members["epoch"]?.stringValue?.isEmpty == false, "'epoch' must be a text")
            try require(members["bytes"]?.integerValue ?? 0 > 0, "'bytes' must be more than 0")
        },
        Self(
            "topics.refused",
            .extension(.topics),
            "An unknown setting, or a wrong value, is 400, and nothing is changed."
        ) {
            bench in
            let name = await bench.name()
            _ = try await put(name, #"{"history":7}"#, bench)
            for body in [#"{"history":9,"no_such":1}"#, #"{"history":9,"queue":0}"#, #"{"history":-1}"#, "[]"] {
                try bench.expectProblem(try await put(name, body, bench), 400, .badRequest)
            }
            try equal(try await topic(name, bench)["settings"]?.members ?? [:], "history", "7")
        },
        Self("topics.history", .extension(.topics), "A topic keeps as many messages as its `history` says.") { bench in
            let (name, peer) = (await bench.name(), try await bench.peer())
            _ = try await put(name, #"{"history":3}"#, bench)
            let messages = try await fill(name, 6, peer)
            try await peer.subscribed(name, as: "c", #","last_n":100"#)
            for message in messages.suffix(3) { try await peer.expectEvent(name, message.text) }
            try await peer.expectNothing()
        },
        Self("topics.subscribers", .extension(.topics), "GET …/subscribers lists them with their policy and lag.") {
            bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            try await peer.subscribed(name, as: "me", #","overflow":"latest","queue":5"#)
            let path = "/topics/\(name)/subscribers"
            let members = try bench.members(try await bench.send(.GET, path), status: 200)
            guard let one = members["subscribers"]?.elements?.first?.members else { throw Fault("nobody is listed") }
            try equal(one, "client_id", #""me""#)
            try equal(one, "policy", #""latest""#)
            try equal(one, "queue", "5")
            try require(one["lag"]?.members?["messages"]?.integerValue == 0, "'lag.messages' must be 0")
        },
        Self("topics.missing", .extension(.topics), "GET of a topic that is not there is 404 TOPIC_NOT_FOUND.") {
            bench in
            try bench.expectProblem(try await bench.send(.GET, "/topics/\(await bench.name())"), 404, .topicNotFound)
        },
    ]

    static let disconnects: [ConformanceCheck] = [
        Self("close.utf8-reason", .extension(.disconnects), "The close 1007 has a reason for programs.") { bench in
            let peer = try await bench.peer()
            try await peer.frame(.text, [0xFF])
            try isReason(try await peer.expectClose(1007))
        },
        Self("close.protocol-reason", .extension(.disconnects), "The close 1002 has a reason for programs.") { bench in
            let peer = try await bench.peer()
            try await peer.frame(.text, [0x22], isMasked: false)
            try isReason(try await peer.expectClose(1002))
        },
        Self(
            "close.too-big-reason",
            .extension(.disconnects),
            "The close 1009 of a message over the server's bound has the reason MESSAGE_TOO_BIG."
        ) { bench in
            let peer = try await bench.peer()
            try await peer.send(#"{"type":"ping","x":"\#(String(repeating: "x", count: 2 << 20))"}"#)
            guard case .close(let close) = try await peer.message() else {
                throw NotApplicable("this server takes messages of 2 MiB")
            }
            try require(close.reason == "MESSAGE_TOO_BIG", "the reason must be MESSAGE_TOO_BIG, not '\(close.reason)'")
        },
        Self(
            "close.slow-reason",
            .extension(.disconnects),
            "A subscription under `disconnect` that lags is closed as SLOW_CONSUMER."
        ) {
            bench in
            let (name, slow) = (try await bench.topic(), try await bench.peer(isSlow: true))
            try await slow.subscribe(name, as: "c", #","overflow":"disconnect","queue":5"#)
            guard try await slow.next().type == "ack" else { throw NotApplicable("no policies (extension 2)") }
            let publisher = try await bench.peer()
            let filler = String(repeating: "x", count: 64 << 10).quoted
            for _ in 0..<250 { try await publisher.published(name, Bench.message(filler).text) }
            let close = try await slow.expectClose(1008)
            try require(close.reason == "SLOW_CONSUMER", "the reason must be SLOW_CONSUMER, not '\(close.reason)'")
        },
    ]

    static let access: [ConformanceCheck] = [
        Self("access.open", .extension(.access), "Where nobody needs a credential, `auth` is BAD_REQUEST.") { bench in
            guard try await !needsCredential(bench) else { throw NotApplicable("this server takes credentials") }
            let peer = try await bench.peer()
            try await peer.send(#"{"type":"auth","api_key":"no-such-key"}"#)
            try await peer.expectError(.badRequest)
        },
        Self(
            "access.wrong-key",
            .contract(6),
            "A wrong key is 401 with WWW-Authenticate, on the handshake too."
        ) { bench in
            guard try await needsCredential(bench) else { throw NotApplicable("this server needs no credential") }
            let stranger = RESTClient(
                address: bench.address,
                credential: Credential(apiKey: "no-such-key"),
                timeout: TimeAmount(bench.server.patience)
            )
            let answer = try await stranger.send(.GET, "/topics")
            try bench.expectProblem(answer, 401, .unauthorized)
            try require(answer.headers.contains(name: "www-authenticate"), "'WWW-Authenticate' is missing")
            do throws(ClientError) {
                let configuration = WebSocketConnection.Configuration(apiKey: "no-such-key")
                _ = try await WebSocketConnection.connect(to: bench.address, configuration: configuration)
            } catch {
                return try require(error.code == .unauthorized, "a handshake must be answered 401: \(error.message)")
            }
            throw Fault("a handshake with a wrong key was accepted")
        },
        Self(
            "access.first-message",
            .contract(6),
            "Without a credential the first command is UNAUTHORIZED, and 1008."
        ) { bench in
            guard try await needsCredential(bench) else { throw NotApplicable("this server needs no credential") }
            let connection = try await WebSocketConnection.connect(to: bench.address)
            await bench.ledger.add(connection)
            let peer = Peer(connection: connection, dialect: bench.dialect, patience: bench.server.patience)
            try await peer.send(#"{"type":"ping"}"#)
            try await peer.expectError(.unauthorized)
            try await peer.expectClose(1008)
        },
        Self(
            "access.origin",
            .extension(.access),
            "A page of a foreign origin is refused with 403, unless that is allowed."
        ) {
            bench in
            let origin = [("Origin", "https://foreign.invalid")]
            let name = await bench.name()
            let body = #"{"name":\#(name.quoted)}"#
            let answer = try await bench.send(.POST, "/topics", body: body, headers: origin)
            guard answer.status == 403 else { throw NotApplicable("this server allows all origins") }
            try bench.expectProblem(answer, 403, .forbiddenOrigin)
            try require(try await subscribers(of: name, bench) == nil, "the refused request was carried out")
            do throws(ClientError) {
                _ = try await bench.connect(in: bench.dialect, origin)
            } catch {
                return try require(error.problem?.status == 403, "a handshake must be answered 403: \(error.message)")
            }
            throw Fault("the handshake of a foreign origin was accepted")
        },
    ]

    static let durability: [ConformanceCheck] = [
        Self(
            "durability.shown",
            .extension(.durability),
            "GET of a topic shows its durability, and `stored` is as much."
        ) {
            bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            let settings = try await topic(name, bench)["settings"]?.members ?? [:]
            guard let durability = settings["durability"]?.stringValue else { throw Fault("'durability' is missing") }
            let ack = try await peer.published(name, Bench.message().text, #","outcome":true"#)
            let stored = try ack.string("stored")
            try require(
                stored == durability || stored.hasPrefix("replicated"),
                "'stored' is \(stored) where the topic's durability is \(durability)"
            )
        },
        Self("durability.values", .extension(.durability), "Another durability is 400.") { bench in
            try bench.expectProblem(
                try await put(await bench.name(), #"{"durability":"paper"}"#, bench),
                400,
                .badRequest
            )
        },
    ]

    // MARK: Parts

    private static func put(_ name: String, _ body: String, _ bench: Bench) async throws -> RESTResponse {
        try await bench.send(.PUT, "/topics/\(name)", body: body)
    }

    private static func topic(_ name: String, _ bench: Bench) async throws -> [String: JSONText] {
        try bench.members(try await bench.send(.GET, "/topics/\(name)"), status: 200)
    }

    private static func isReason(_ close: WebSocketClose) throws {
        try require(close.reason.wholeMatch(of: /[A-Z0-9_]+/) != nil, "the close has the reason '\(close.reason)'")
    }

    /// Whether a client without one is refused.
    private static func needsCredential(_ bench: Bench) async throws -> Bool {
        let stranger = RESTClient(address: bench.address, credential: Credential(), timeout: .seconds(10))
        return try await stranger.send(.GET, "/topics").status == 401
    }
}
