import ApusProtocol
import HTTPTypes
import Hummingbird
import NIOCore

// Event streams that were not opened at the listener.

extension Routes {
    func eventStream(_ request: Request, _ context: ApusRequestContext) async throws -> Response {
        try refuseWhileDraining()
        guard let path = basePath.rest(of: request.uri.path[...]).flatMap(StreamRequest.Path.init) else {
            throw HTTPError(.notFound)
        }
        let stream = try StreamRequest(
            path,
            query: request.uri.query ?? "",
            lastEventID: HTTPField.Name("Last-Event-ID").flatMap { request.headers[$0] },
            settings: settings
        )
        var headers = HTTPFields()
        for (name, value) in StreamRequest.headers { HTTPField.Name(name).map { headers[$0] = value } }
        let response = Response(status: .ok, headers: headers)
        guard request.method != .head else { return response }
        try await workers.handOver(to: try await streams.open(stream), from: context.channel)
        return response
    }
}
