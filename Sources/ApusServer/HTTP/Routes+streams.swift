import ApusBroker
import ApusProtocol
import HTTPTypes
import Hummingbird
import NIOCore

// Event streams that were not opened at the listener.

extension Routes {
    func eventStream(_ request: Request, _ context: ApusRequestContext) async throws -> Response {
        try refuseWhileDraining()
        guard let path = StreamRequest.Path(request.uri.path[...]) else { throw HTTPError(.notFound) }
        let stream = try StreamRequest(
            path,
            query: request.uri.query ?? "",
            lastEventID: HTTPField.Name("Last-Event-ID").flatMap { request.headers[$0] },
            settings: settings
        )
        var headers = HTTPFields()
        for (name, value) in StreamRequest.headers { HTTPField.Name(name).map { headers[$0] = value } }
        // A stream has no length, and what nobody writes has none either.
        let response = Response(status: .ok, headers: headers, body: ResponseBody { try await $0.finish(nil) })
        guard request.method != .head else {
            try check(stream)
            return response
        }
        try await workers.handOver(to: try await streams.open(stream), from: context.channel)
        return response
    }

    /// Finds what a stream would be refused for, without opening one.
    private func check(_ stream: StreamRequest) throws(Problem) {
        try workers.refuseBeyondLimit(settings)
        for request in stream.subscriptions {
            guard !TopicFilter.isPattern(request.topic) else {
                guard TopicFilter(request.topic) != nil else {
                    throw Problem(.badRequest, BrokerError.filterNotAllowed.message)
                }
                continue
            }
            guard let topic = broker.topic(named: request.topic) else { throw unknown(request.topic) }
            guard case .position(topic.epoch, let offset) = request.start, offset > topic.publishedCount else {
                continue
            }
            throw Problem(.badRequest, "The position is beyond the topic's last offset")
        }
    }
}
