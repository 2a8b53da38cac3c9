import ApusClient
import Foundation
import NIOCore
import NIOHTTP1

@testable import ApusVerify

extension FakeServer {
    private typealias Outbound = NIOAsyncChannelOutboundWriter<HTTPServerResponsePart>

    private struct Request {
        let method: HTTPMethod
        let path: [String]
        let query: [String: String]
        let headers: HTTPHeaders
        let body: String

        init?(_ head: HTTPRequestHead, body: ByteBuffer) {
            guard let parts = URLComponents(string: head.uri) else { return nil }
            method = head.method
            path = parts.path.split(separator: "/").map(String.init).filter { $0 != "v1" }
            let items = (parts.queryItems ?? []).map { ($0.name, $0.value ?? "") }
            query = Dictionary(items) { $1 }
            headers = head.headers
            self.body = String(buffer: body)
        }
    }

    func serve(_ channel: HTTPChannel) async throws {
        try await channel.executeThenClose { inbound, outbound in
            var head: HTTPRequestHead?
            var body = ByteBuffer()
            for try await part in inbound {
                switch part {
                case .head(let next):
                    head = next
                    body.clear()
                case .body(var bytes):
                    body.writeBuffer(&bytes)
                case .end:
                    guard let head, let request = Request(head, body: body) else { return }
                    guard try await answer(request, outbound) else { return }
                }
            }
        }
    }

    /// Answers a request; false when the connection is to be broken.
    private func answer(_ request: Request, _ outbound: Outbound) async throws -> Bool {
        switch (request.method, request.path.first, request.path.count) {
        case (.GET, "health", 1):
            try await reply(.ok, "{\"uptime_sec\":1,\"topics\":0,\"subscribers\":0}", outbound)
        case (.GET, "metrics", 1) where hasHTTP:
            try await reply(.ok, broker.metrics, outbound)
        case (.POST, "topics", 1):
            let name = JSONText(unchecked: request.body).members?["name"]?.stringValue ?? ""
            try await reply(broker.create(name) ? .created : .conflict, "{\"code\":\"TOPIC_EXISTS\"}", outbound)
        case (.PUT, "topics", 2) where hasHTTP:
            try await reply(broker.create(request.path[1]) ? .created : .ok, "{}", outbound)
        case (.GET, "topics", 2) where broker.topic(request.path[1]) != nil:
            try await reply(.ok, "{}", outbound)
        case (.DELETE, "topics", 2):
            try await reply(broker.delete(request.path[1]) ? .ok : .notFound, "{}", outbound)
        case (.POST, "topics", 3) where hasHTTP:
            return try await publish(request, outbound)
        case (.GET, "topics", 3) where hasHTTP && request.path[2] == "messages":
            try await page(request, outbound)
        case (.GET, "topics", 3) where hasHTTP && request.path[2] == "events":
            try await events(request, outbound)
            return false
        default:
            try await reply(.notFound, "{\"code\":\"NOT_FOUND\"}", outbound)
        }
        return true
    }

    private func publish(_ request: Request, _ outbound: Outbound) async throws -> Bool {
        guard !request.body.isEmpty else {
            try await reply(.badRequest, "{\"code\":\"BAD_REQUEST\"}", outbound)
            return true
        }
        let messages = request.body.split(separator: "\n").map { "{\"id\":\"x\",\"payload\":\($0)}" }
        guard let outcome = broker.publish(messages, to: request.path[1]) else {
            try await reply(.notFound, "{\"code\":\"TOPIC_NOT_FOUND\"}", outbound)
            return true
        }
        if outcome.isBroken { return false }
        if outcome.isRefused {
            try await reply(.serviceUnavailable, "{\"code\":\"UNAVAILABLE\"}", outbound)
        } else {
            let text = "{\"epoch\":\"\(outcome.epoch)\",\"offset\":\(outcome.offset),\"count\":\(messages.count)}"
            try await reply(.created, text, outbound)
        }
        return true
    }

    private func page(_ request: Request, _ outbound: Outbound) async throws {
        let after = request.query["after"].flatMap { Int($0) }
        guard let topic = broker.topic(request.path[1]) else {
            return try await reply(.notFound, "{\"code\":\"TOPIC_NOT_FOUND\"}", outbound)
        }
        let resumption = Resumption(broker: broker, topic: topic, offset: after)
        let isResumed = request.query["wait"] != nil
        var cursor = FakeCursor(
            broker: broker,
            topic: request.path[1],
            offset: resumption.start,
            isResumed: isResumed
        )
        var items: [FakeCursor.Item] = []
        let deadline = NIODeadline.now() + (isResumed ? .seconds(1) : .zero)
        repeat {
            items = cursor.next(limit: 50) ?? []
            if items.isEmpty { try await Task.sleep(for: .milliseconds(2)) }
        } while items.isEmpty && NIODeadline.now() < deadline
        let messages = items.compactMap { item -> String? in
            guard case .event(let offset, let message) = item else { return nil }
            return "{\"offset\":\(offset),\"message\":\(message),\"ts\":\"\"}"
        }
        let recovery = resumption.members.contains("false") ? resumption.members : ""
        let text =
            "{\"epoch\":\"\(topic.epoch)\",\"first\":1,\"last\":\(topic.last),"
            + "\"messages\":[\(messages.joined(separator: ","))],\"next\":\(cursor.offset)\(recovery)}"
        try await reply(.ok, text, outbound)
    }

    private func events(_ request: Request, _ outbound: Outbound) async throws {
        guard let topic = broker.topic(request.path[1]) else {
            return try await reply(.notFound, "{\"code\":\"TOPIC_NOT_FOUND\"}", outbound)
        }
        let id = request.headers.first(name: "Last-Event-ID") ?? request.query["last_event_id"]
        let asked = id.flatMap(SSEReader.position)
        let resumption = Resumption(broker: broker, topic: topic, offset: asked?.offset)
        let headers = HTTPHeaders([("Content-Type", "text/event-stream")])
        try await outbound.write(.head(.init(version: .http1_1, status: .ok, headers: headers)))
        func write(_ text: String) async throws {
            try await outbound.write(.body(.byteBuffer(ByteBuffer(string: text))))
        }
        let position = "\"epoch\":\"\(topic.epoch)\",\"offset\":\(resumption.start)"
        try await write("retry: 2000\nid: \(topic.epoch):\(resumption.start)\n\n: hello\n\n")
        if resumption.members.contains("false") {
            let news = "\"type\":\"info\",\"topic\":\"\(request.path[1])\",\"msg\":\"not_recovered\""
            try await write("event: info\ndata: {\(news),\(position)\(resumption.members)}\n\n")
        }
        let cursor = FakeCursor(
            broker: broker,
            topic: request.path[1],
            offset: resumption.start,
            isResumed: asked != nil
        )
        try await follow(cursor) { push in
            if let offset = push.offset {
                try await write("event: message\nid: \(topic.epoch):\(offset)\ndata: \(push.text)\n\n")
            } else {
                try await write("event: info\ndata: \(push.text)\n\n")
            }
        }
    }

    private func reply(_ status: HTTPResponseStatus, _ body: String, _ outbound: Outbound) async throws {
        let headers = HTTPHeaders([("Content-Length", "\(body.utf8.count)"), ("Content-Type", "application/json")])
        try await outbound.write(contentsOf: [
            .head(.init(version: .http1_1, status: status, headers: headers)),
            .body(.byteBuffer(ByteBuffer(string: body))),
            .end(nil),
        ])
    }
}
