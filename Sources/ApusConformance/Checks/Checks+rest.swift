import ApusClient
import ApusProtocol
import NIOHTTP1

// Topics, health and statistics over HTTP.

extension ConformanceCheck {
    private static let part = Place.contract(1)

    static let rest = managing + refusals + figures

    private static let managing: [ConformanceCheck] = [
        Self("rest.create", part, "Creating a topic is answered 201 with its name and `created`.") { bench in
            let name = await bench.name()
            let members = try bench.members(try await bench.post(#"{"name":\#(name.quoted)}"#), status: 201)
            try equal(members, "status", #""created""#)
            try equal(members, "topic", name.quoted)
        },
        Self(
            "rest.create-existing",
            part,
            "Creating a topic that exists is 409 TOPIC_EXISTS (200 or 201 by a setting)."
        ) {
            bench in
            let name = try await bench.topic()
            let answer = try await bench.post(#"{"name":\#(name.quoted)}"#)
            if answer.status == 409 {
                let members = try bench.expectProblem(answer, 409, .topicExists)
                try contains(members["detail"]?.stringValue, name, "'detail'")
            } else if answer.status == 200 {
                try equal(try bench.members(answer, status: 200), "status", #""exists""#)
            } else {
                _ = try bench.members(answer, status: 201)
            }
        },
        Self("rest.delete", part, "Deleting a topic is answered 200 with its name and `deleted`, and it is gone.") {
            bench in
            let name = try await bench.topic()
            let members = try bench.members(try await bench.delete(name), status: 200)
            try equal(members, "status", #""deleted""#)
            try equal(members, "topic", name.quoted)
            try bench.expectProblem(try await bench.delete(name), 404, .topicNotFound)
        },
        Self("rest.delete-missing", part, "Deleting a topic that is not there is 404 TOPIC_NOT_FOUND, naming it.") {
            bench in
            let name = await bench.name()
            let members = try bench.expectProblem(try await bench.delete(name), 404, .topicNotFound)
            try contains(members["detail"]?.stringValue, name, "'detail'")
        },
        Self("rest.list", part, "GET /topics lists each topic with its number of subscribers.") { bench in
            let name = try await bench.topic()
            try require(try await subscribers(of: name, bench) == 0, "a new topic must have 0 subscribers")
            let peer = try await bench.peer()
            try await peer.subscribed(name, as: "a")
            try await peer.subscribed(name, as: "b")
            let count = try await subscribers(of: name, bench)
            try require(count == 2, "the topic has 2 subscriptions, not \(count.map(String.init) ?? "none")")
        },
        Self("rest.percent-encoding", part, "A name in a path is percent-encoded: `a/b` is `a%2Fb`.") { bench in
            let name = try await bench.topic("/b c%25")
            try require(try await subscribers(of: name, bench) == 0, "the topic '\(name)' is not listed")
            _ = try bench.members(try await bench.delete(name), status: 200)
        },
        Self("rest.names-by-bytes", part, "Names are compared byte for byte: two spellings of é are two topics.") {
            bench in
            let base = await bench.name()
            await bench.ledger.add(bytes: [base + "\u{E9}", base + "e\u{301}"])
            for spelling in ["\\u00e9", "e\\u0301"] {
                let answer = try await bench.post(#"{"name":"\#(base)\#(spelling)"}"#)
                _ = try bench.members(answer, status: 201)
            }
        },
        Self("rest.dialects-share-topics", part, "Both dialects reach the same topics.", in: [.v1]) { bench in
            let name = try await bench.topic()
            let other = Bench(server: bench.server, dialect: .base)
            try require(try await subscribers(of: name, other) == 0, "a topic made below /v1 is not in GET /topics")
        },
    ]

    private static let refusals: [ConformanceCheck] = [
        Self("rest.body-no-json", part, "A body that is no JSON object is 400 BAD_REQUEST.") { bench in
            for body in ["{", "[]", await bench.name().quoted, ""] {
                try bench.expectProblem(try await bench.post(body), 400, .badRequest)
            }
        },
        Self("rest.body-no-name", part, "A body without a name, or with one that is no text, is 400 BAD_REQUEST.") {
            bench in
            for body in ["{}", #"{"name":5}"#, #"{"name":null}"#, #"{"name":[]}"#] {
                try bench.expectProblem(try await bench.post(body), 400, .badRequest)
            }
        },
        Self(
            "rest.names-not-allowed",
            part,
            "An empty name, one with `*`, `>` or controls, or of over 255 bytes, is 400."
        ) {
            bench in
            let base = await bench.name()
            let long = String(repeating: "x", count: 256 - base.utf8.count)
            for ending in ["*b", ">b", "\0b", "\nb", "\u{7F}b", long] {
                let name = base + ending
                await bench.ledger.add(topic: name)
                try bench.expectProblem(try await bench.post(#"{"name":\#(name.quoted)}"#), 400, .badRequest)
            }
            try bench.expectProblem(try await bench.post(#"{"name":""}"#), 400, .badRequest)
        },
        Self("rest.longest-name", part, "A name may have 255 bytes.") { bench in
            let base = await bench.name("-")
            let name = base + String(repeating: "x", count: 255 - base.utf8.count)
            try await bench.create(name)
        },
        Self("rest.problems", part, "An error is a problem of RFC 9457: type, title, status, detail and code.") {
            bench in
            let members = try bench.expectProblem(try await bench.delete(await bench.name()), 404, .topicNotFound)
            for name in ["type", "title", "detail", "code"] where members[name]?.stringValue == nil {
                throw Fault("a problem must have the text '\(name)'")
            }
            try equal(members, "status", "404")
        },
        Self("rest.unknown-path", part, "An unknown path is 404.") { bench in
            let answer = try await bench.send(.GET, "/no/such/path/\(await bench.name())")
            try require(answer.status == 404, "the status must be 404, not \(answer.status)")
        },
        Self("rest.wrong-method", part, "A wrong method is 405 with `Allow`.") { bench in
            let answer = try await bench.send(.DELETE, "/health")
            try require(answer.status == 405, "the status must be 405, not \(answer.status)")
            try contains(answer.headers.first(name: "allow"), "GET", "'Allow'")
        },
    ]

    private static let figures: [ConformanceCheck] = [
        Self(
            "rest.health",
            part,
            "GET /health has the uptime in the dialect's words, and counts topics and subscribers."
        ) {
            bench in
            let members = try bench.members(try await bench.send(.GET, "/health"), status: 200)
            for name in [bench.dialect == .base ? "uptime_sec" : "uptime_seconds", "topics", "subscribers"] {
                try require(members[name]?.integerValue ?? -1 >= 0, "'\(name)' must be an integer, 0 or more")
            }
        },
        Self("rest.stats", part, "GET /stats counts all messages published since a topic's creation, and subscribers.")
        {
            bench in
            let name = try await bench.topic()
            let peer = try await bench.peer()
            for _ in 0..<3 { try await peer.published(name, Bench.message().text) }
            try await peer.subscribed(name)
            let members = try bench.members(try await bench.send(.GET, "/stats"), status: 200)
            guard let topic = members["topics"]?.members?[name]?.members else {
                throw Fault("'topics' lacks the topic")
            }
            try equal(topic, "messages", "3")
            try equal(topic, "subscribers", "1")
        },
        Self("rest.documents", part, "GET /docs is a page, GET /openapi.json an OpenAPI 3 document.", in: [.base]) {
            bench in
            let page = try await bench.send(.GET, "/docs")
            try require(page.status == 200, "GET /docs must be 200, not \(page.status)")
            try contains(page.headers.first(name: "content-type"), "text/html", "'Content-Type' of /docs")
            let document = try bench.members(try await bench.send(.GET, "/openapi.json"), status: 200)
            try contains(document["openapi"]?.stringValue, "3.", "'openapi'")
        },
    ]

    /// How many subscribers `GET /topics` says that a topic has; `nil` if it is not there.
    static func subscribers(of name: String, _ bench: Bench) async throws -> Int? {
        let members = try bench.members(try await bench.send(.GET, "/topics"), status: 200)
        guard let topics = members["topics"]?.elements else { throw Fault("'topics' must be a list") }
        let topic = topics.lazy.compactMap(\.members).first {
            $0["name"]?.text == name.quoted || $0["name"]?.stringValue == name
        }
        return topic?["subscribers"]?.integerValue
    }
}

func require(_ isSo: Bool, _ otherwise: String) throws {
    guard isSo else { throw Fault(otherwise) }
}

/// The member must be exactly this JSON.
func equal(_ members: [String: JSONText], _ name: String, _ value: String) throws {
    let given = members[name]?.text
    guard given == value else { throw Fault("'\(name)' must be \(value), not \(given?.shortened ?? "absent")") }
}

func contains(_ text: String?, _ part: String, _ what: String) throws {
    guard let text, text.contains(part) else {
        throw Fault("\(what) must have \(part.quoted) in it, not \((text ?? "").quoted)")
    }
}
