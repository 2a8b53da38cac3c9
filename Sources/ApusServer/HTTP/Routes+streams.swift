import ApusBroker
import ApusProtocol
import HTTPTypes
import Hummingbird
import NIOCore

// Event streams that the listener did not open.

extension Routes {
    func eventStream(_ request: Request, _ context: ApusRequestContext) async throws -> Response {
        do {
            return try await openEventStream(request, context)
        } catch let problem as Problem where problem.code == .unavailable && Self.asksForEvents(request) {
            streams.log.metrics.count(problem.code.rawValue)
            return comeBackLater(problem)
        }
    }

    private static func asksForEvents(_ request: Request) -> Bool {
        request.headers[values: .accept].contains { $0.lowercased().contains("text/event-stream") }
    }

    /// The response for an event stream that is refused for now. A browser reconnects after a stream that ends, but
    /// never after a 503.
    private func comeBackLater(_ problem: Problem) -> Response {
        let delay = Int64(EventStream.retry) + contexts.reconnectDelay()
        let body = ByteBuffer(string: ": \(problem.code.rawValue): \(problem.detail)\nretry: \(delay)\n\n")
        // A stream ends with its connection, even one with a length.
        var headers = Self.streamHeaders
        headers[.connection] = "close"
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: body))
    }

    static var streamHeaders: HTTPFields {
        var headers = HTTPFields()
        for (name, value) in StreamRequest.headers { HTTPField.Name(name).map { headers[$0] = value } }
        return headers
    }

    private func openEventStream(_ request: Request, _ context: ApusRequestContext) async throws -> Response {
        try refuseWhileDraining()
        guard let match = context.match else { throw HTTPError(.notFound) }
        let stream = try StreamRequest(
            match,
            query: request.uri.query ?? "",
            lastEventID: HTTPField.Name("Last-Event-ID").flatMap { request.headers[$0] },
            settings: settings
        )
        try await catchUp(with: stream, for: context.access)
        // A body written by a closure has no length, like that of a stream.
        let body = ResponseBody { try await $0.finish(nil) }
        let response = Response(status: .ok, headers: Self.streamHeaders, body: body)
        guard request.method != .head else {
            try check(stream, for: context.access)
            return response
        }
        try await makeTopics(for: stream, context.access)
        let fields = contexts.inForce.sites.sharing(with: request.headers[.origin], host: request.head.authority)
        let opened = try await streams.open(stream, for: context.access, context.inFlight.caller, sharing: fields)
        try await context.inFlight.answer(with: opened)
        return response
    }

    /// Waits until this node knows the stream's topics, and has come to the positions that it names.
    private func catchUp(with stream: StreamRequest, for client: ClientAccess) async throws {
        let names = try stream.permitted(to: client)
            .filter { broker.mayBeBehind($0.topic, $0.start) }.map(\.topic)
        guard !names.isEmpty else { return }
        do throws(BrokerError) {
            try await broker.catchUp(on: names)
        } catch {
            // Those that wait for their topics need not know.
            let isWaiting = stream.subscriptions.allSatisfy { $0.waits && broker.topic(named: $0.topic) == nil }
            if !isWaiting { throw Problem(error) }
        }
    }

    /// Creates what topics are missing, where a subscribe may do so and others share the topics.
    private func makeTopics(for stream: StreamRequest, _ client: ClientAccess) async throws {
        let missing = try stream.permitted(to: client)
            .filter { $0.makesTopic && broker.mayBeBehind($0.topic) }.map(\.topic)
        guard !missing.isEmpty else { return }
        // A refused request must not create a topic.
        try check(stream, for: client)
        for name in missing {
            do throws(BrokerError) { try await broker.findOrCreate(named: name) } catch { throw Problem(error) }
        }
    }

    /// Checks for reasons to refuse a stream, without opening one.
    private func check(_ stream: StreamRequest, for client: ClientAccess) throws(Problem) {
        try contexts.refuseBeyondLimit()
        for request in try stream.permitted(to: client) {
            guard !TopicFilter.isPattern(request.topic) else {
                guard TopicFilter(request.topic) != nil else {
                    throw Problem(.badRequest, BrokerError.filterNotAllowed.message)
                }
                continue
            }
            guard let topic = broker.topic(named: request.topic) else {
                guard request.waits || request.makesTopic else { throw unknown(request.topic) }
                continue
            }
            guard case .position(topic.epoch, let offset) = request.start, offset > topic.publishedCount else {
                continue
            }
            throw Problem(.badRequest, "The position is beyond the topic's last offset")
        }
    }
}
