import Hummingbird
import HummingbirdCore
import Logging

/// Answers a connection's requests with a router, and adds the header fields of every response.
struct RouterResponder: Sendable {
    let router: any HTTPResponder<ApusRequestContext>
    let logger: Logger

    func respond(to request: Request, _ inFlight: InFlightRequest) async throws -> Response {
        var logger = logger
        logger[metadataKey: "hb.request.id"] = .stringConvertible(RequestID())
        let context = ApusRequestContext(source: ApusRequestContext.Source(inFlight: inFlight, logger: logger))
        var response = try await router.respond(to: request, context: context)
        response.headers[.date] = httpDate()
        // The field would describe a body that is not sent (RFC 9110 section 8.6).
        if response.status == .notModified { response.headers[.contentLength] = nil }
        return response
    }

    func respond(
        to request: Request,
        _ writer: consuming ResponseWriter,
        _ inFlight: InFlightRequest
    ) async throws {
        let response = try await respond(to: request, inFlight)
        try await writer.write(response: response.head, body: response.body)
    }
}
