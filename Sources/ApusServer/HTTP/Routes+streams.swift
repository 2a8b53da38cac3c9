import ApusBroker
import ApusProtocol
import HTTPTypes
import Hummingbird
import NIOCore

// Event streams (the WHATWG's HTML standard, section 9.2).

extension Routes {
    /// The topics that one stream may name.
    static let maxStreamTopics = 100

    func eventStream(
        _ request: Request,
        _ context: ApusRequestContext,
        topics: [String],
        dialect: Dialect
    ) async throws -> Response {
        try refuseWhileDraining()
        let query = try QueryParameters(request.uri)
        let requests = try subscribeRequests(request, query, topics: topics)
        let headers: HTTPFields = [
            .contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-cache, no-transform",
        ]
        guard request.method != .head else { return Response(status: .ok, headers: headers) }
        let stream = try await workers.openStream(requests, dialect: dialect, on: context.channel)
        let body = ResponseBody { writer in
            do {
                while let bytes = try await stream.next() { try await writer.write(bytes) }
                try await writer.finish(nil)
            } catch {
                stream.end()
                throw error
            }
            stream.end()
        }
        return Response(status: .ok, headers: headers, body: body)
    }

    private func subscribeRequests(
        _ request: Request,
        _ query: QueryParameters,
        topics: [String]
    ) throws(Problem) -> [SubscribeRequest] {
        guard (1...Self.maxStreamTopics).contains(topics.count) else {
            throw Problem(.badRequest, "'topic' is required, at most \(Self.maxStreamTopics) times")
        }
        guard !topics.contains("") else { throw Problem(.badRequest, "'topic' must not be empty") }
        let clientID = try query.text("client_id", max: settings.maxClientID) ?? "sse"
        let queue = try query.integer("queue", 1...settings.maxQueue)
        let presence = try query.flag("presence") ?? false
        let echo = try query.flag("echo") ?? true
        var overflow: OverflowPolicy?
        if let text = query["overflow"] {
            overflow = OverflowPolicy(rawValue: text)
            let names = OverflowPolicy.allCases.map(\.rawValue).joined(separator: ", ")
            if overflow == nil { throw Problem(.badRequest, "'overflow' must be one of \(names)") }
        }
        let start = try streamStart(request, query, topics: topics)
        return topics.map { topic in
            SubscribeRequest(
                topic: topic,
                clientID: clientID,
                start: start,
                queue: queue,
                overflow: overflow,
                detail: .positioned,
                echo: echo,
                presence: presence
            )
        }
    }

    /// What a browser says when it comes back goes before what the page's address says.
    private func streamStart(
        _ request: Request,
        _ query: QueryParameters,
        topics: [String]
    ) throws(Problem) -> ReplayStart {
        let given = try query.start()
        let header = HTTPField.Name("Last-Event-ID").flatMap { request.headers[$0] }
        let name = header == nil ? "last_event_id" : "Last-Event-ID"
        guard let text = header ?? query["last_event_id"], !text.isEmpty else {
            guard given == nil || given.map(Self.isCount) == true || !topics.contains(where: TopicFilter.isPattern)
            else {
                throw Problem(.badRequest, "'since' needs a topic, not a pattern")
            }
            return given ?? .lastN(0)
        }
        guard topics.count == 1, let topic = topics.first, !TopicFilter.isPattern(topic) else {
            throw Problem(.badRequest, "'\(name)' needs one topic")
        }
        return try QueryParameters.position(text, named: name)
    }

    private static func isCount(_ start: ReplayStart) -> Bool {
        if case .lastN = start { true } else { false }
    }
}
