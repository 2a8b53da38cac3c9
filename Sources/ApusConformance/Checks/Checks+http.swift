import ApusClient
import ApusProtocol
import NIOHTTP1

// Extension 6: messages over HTTP, and event streams.

extension ConformanceCheck {
    private static let part = Place.extension(.http)

    static let http = posts + pages + streams

    private static let posts: [ConformanceCheck] = [
        Self("http.publish", part, "POST …/messages publishes its body as the payload, and says where: 201.") {
            bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            try await peer.subscribed(name)
            let answer = try await publish(name, #"{"a" : 1.0}"#, bench)
            let members = try bench.members(answer, status: 201)
            try equal(members, "status", #""published""#)
            try equal(members, "topic", name.quoted)
            try equal(members, "offset", "1")
            guard let id = members["id"]?.stringValue else { throw Fault("'id' must be a text") }
            try await peer.expectEvent(name, #"{"id":\#(id.quoted),"payload":{"a" : 1.0}}"#)
        },
        Self("http.publish-text", part, "A body of text/plain is published as a text.") { bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            try await peer.subscribed(name)
            _ = try bench.members(try await publish(name, "say \"hi\"", bench, type: "text/plain"), status: 201)
            let event = try await peer.next()
            let payload = event.members["message"]?.members?["payload"]?.stringValue
            try require(payload == "say \"hi\"", "the payload must be the text: \(event.text.shortened)")
        },
        Self("http.publish-lines", part, "A body of application/x-ndjson is a batch, one payload a line.") { bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            try await peer.subscribed(name)
            let answer = try await publish(name, "1\n{\"n\":2}\n", bench, type: "application/x-ndjson")
            try equal(try bench.members(answer, status: 201), "count", "2")
            for payload in ["1", #"{"n":2}"#] {
                let event = try await peer.next()
                let given = event.members["message"]?.members?["payload"]?.text
                try require(given == payload, "the payload must be \(payload): \(event.text.shortened)")
            }
        },
        Self("http.publish-id", part, "The id is that of `Idempotency-Key`.") { bench in
            let name = try await bench.topic()
            let answer = try await publish(name, "1", bench, headers: [("Idempotency-Key", "pay-7")])
            try equal(try bench.members(answer, status: 201), "id", #""pay-7""#)
        },
        Self("http.publish-refused", part, "A body that is not JSON is 400, a missing topic 404.") { bench in
            let name = try await bench.topic()
            try bench.expectProblem(try await publish(name, "{", bench), 400, .badRequest)
            try bench.expectProblem(try await publish(await bench.name(), "1", bench), 404, .topicNotFound)
        },
    ]

    private static let pages: [ConformanceCheck] = [
        Self("http.read", part, "GET …/messages pages through what is kept: `next` is the `after` of the next page.") {
            bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            let sent = try await fill(name, 7, peer)
            var (seen, after, epoch): ([String], String, String) = ([], "since=all", "")
            while seen.count < 7 {
                let page = try await read(name, "\(after)&limit=3", bench)
                epoch = page["epoch"]?.stringValue ?? ""
                let messages = page["messages"]?.elements ?? []
                try require((1...3).contains(messages.count), "a page must have 1 to 3 messages, not \(messages.count)")
                seen += messages.map { $0.members?["message"]?.members?["id"]?.stringValue ?? "" }
                after = "after=\(page["next"]?.text ?? "")&epoch=\(epoch)"
            }
            try require(seen == sent.map(\.id), "the pages are not the messages in their order")
            let last = try await read(name, after, bench)
            try require(last["messages"]?.elements?.isEmpty == true, "there must be nothing after the last page")
        },
        Self("http.read-last", part, "`last_n` reads the last messages, with the topic's first and last offset.") {
            bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            let sent = try await fill(name, 5, peer)
            let page = try await read(name, "last_n=1", bench)
            try equal(page, "first", "1")
            try equal(page, "last", "5")
            try equal(page, "next", "5")
            let message = page["messages"]?.elements?.first?.members ?? [:]
            try equal(message, "offset", "5")
            try equal(message, "message", sent[4].text)
        },
        Self("http.wait", part, "With `wait` a page comes as soon as there is a message.") { bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            async let page = read(name, "wait=5s", bench, isSlow: true)
            try await Task.sleep(for: .milliseconds(100))
            let message = Bench.message()
            try await peer.published(name, message.text)
            let found = try await page["messages"]?.elements?.first?.members?["message"]?.text
            try require(found == message.text, "the page must have the message, not \(found ?? "nothing")")
        },
        Self("http.wait-over", part, "When nothing comes, the page is empty after the time.") { bench in
            let page = try await read(try await bench.topic(), "wait=50ms", bench)
            try require(page["messages"]?.elements?.isEmpty == true, "there must be no message")
        },
        Self("http.not-recovered", part, "An `after` of another epoch reads what is kept, with `recovered` false.") {
            bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            _ = try await fill(name, 2, peer)
            let page = try await read(name, "after=1&epoch=no-such", bench)
            try equal(page, "recovered", "false")
            try require(page["messages"]?.elements?.count == 2, "all that is kept must come")
        },
    ]

    private static let streams: [ConformanceCheck] = [
        Self("sse.events", part, "GET …/events streams the messages, each with its position as `id`.") { bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            let sent = try await fill(name, 3, peer)
            let frames = try await stream(name, "since=all", until: name, bench)
            let events = frames.filter { $0.event == "message" }
            try require(events.count == 3, "3 events must come, not \(events.count)")
            for (index, (event, message)) in zip(events, sent).enumerated() {
                let reply = try Reply(event.data)
                try require(reply.id == message.id, "event \(index + 1) has another message")
                try require(event.id.hasSuffix(":\(index + 1)"), "the id must be EPOCH:\(index + 1), not \(event.id)")
            }
            let last = frames.last
            try require(
                last?.event == "info" && last?.data.contains("topic_deleted") == true,
                "the stream of a deleted topic must end with `topic_deleted`"
            )
        },
        Self("sse.resume", part, "`Last-Event-ID` resumes after that position.") { bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            let sent = try await fill(name, 3, peer)
            let epoch = try await read(name, "last_n=1", bench)["epoch"]?.stringValue ?? ""
            let header = [("Last-Event-ID", "\(epoch):2")]
            let events = try await stream(name, "wait=false", until: name, bench, header).filter {
                $0.event == "message"
            }
            try require(events.count == 1, "1 event must come, not \(events.count)")
            try require(try Reply(events[0].data).id == sent[2].id, "the event after the position must come")
        },
        Self("sse.missing", part, "A stream of a topic that is not there is 404.") { bench in
            let answer = try await bench.send(.GET, "/topics/\(await bench.name())/events")
            try bench.expectProblem(answer, 404, .topicNotFound)
        },
    ]

    // MARK: Parts

    private static func publish(
        _ name: String,
        _ body: String,
        _ bench: Bench,
        type: String = "application/json",
        headers: [(String, String)] = []
    ) async throws -> RESTResponse {
        let headers = [("Content-Type", type)] + headers
        return try await bench.send(.POST, "/topics/\(name)/messages", body: body, headers: headers)
    }

    private static func read(
        _ name: String,
        _ query: String,
        _ bench: Bench,
        isSlow: Bool = false
    ) async throws -> [String: JSONText] {
        let answer = try await bench.send(.GET, "/topics/\(name)/messages?\(query)", isSlow: isSlow)
        return try bench.members(answer, status: 200)
    }

    struct StreamFrame {
        var (event, id, data) = ("", "", "")
    }

    /// The frames of a stream, which ends when its topic is deleted.
    private static func stream(
        _ name: String,
        _ query: String,
        until topic: String,
        _ bench: Bench,
        _ headers: [(String, String)] = []
    ) async throws -> [StreamFrame] {
        let path = "/topics/\(name)/events?\(query)"
        async let answer = bench.send(.GET, path, headers: headers, isSlow: true)
        for _ in 0..<100 {
            if try await subscribers(of: name, bench) == 1 { break }
            try await Task.sleep(for: bench.server.patience / 100)
        }
        _ = try await bench.delete(topic)
        let response = try await answer
        try require(response.status == 200, "the status must be 200, not \(response.status)")
        try contains(response.headers.first(name: "content-type"), "text/event-stream", "'Content-Type'")
        return response.body.split(separator: "\n\n").map { text in
            var frame = StreamFrame()
            for line in text.split(separator: "\n") {
                let value = String(line.drop { $0 != ":" }.dropFirst().drop { $0 == " " })
                switch line.prefix(while: { $0 != ":" }) {
                case "event": frame.event = value
                case "id": frame.id = value
                case "data": frame.data += value
                default: break
                }
            }
            return frame
        }
    }
}
