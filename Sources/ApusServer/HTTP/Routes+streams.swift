import ApusProtocol
import HTTPTypes
import Hummingbird
import NIOCore

// Event streams that were not opened at the listener.

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

    /// What a client of event streams gets that is refused for the moment: a browser comes back after a stream that ends, and
    /// never after a 503.
    private func comeBackLater(_ problem: Problem) -> Response {
        let delay = Int64(EventStream.retry) + workers.reconnectDelay(rate: settings.reconnectRate)
        let body = ByteBuffer(string: ": \(problem.code.rawValue): \(problem.detail)\nretry: \(delay)\n\n")
        return Response(status: .ok, headers: Self.streamHeaders, body: ResponseBody(byteBuffer: body))
    }

    private static var streamHeaders: HTTPFields {
        var headers = HTTPFields()
        for (name, value) in StreamRequest.headers { HTTPField.Name(name).map { headers[$0] = value } }
        return headers
    }

    private func openEventStream(_ request: Request, _ context: ApusRequestContext) async throws -> Response {
        try refuseWhileDraining()
        guard let path = StreamRequest.Path(request.uri.path[...]) else { throw HTTPError(.notFound) }
        let stream = try StreamRequest(
            path,
            query: request.uri.query ?? "",
            lastEventID: HTTPField.Name("Last-Event-ID").flatMap { request.headers[$0] },
            settings: settings
        )
        let response = Response(status: .ok, headers: Self.streamHeaders)
        guard request.method != .head else { return response }
        try await workers.handOver(to: try await streams.open(stream), from: context.channel)
        return response
    }
}
