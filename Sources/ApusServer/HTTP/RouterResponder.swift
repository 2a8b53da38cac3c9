import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging

/// Answers a connection's requests with a router, and adds the header fields of every response.
struct RouterResponder: Sendable {
    let router: any HTTPResponder<ApusRequestContext>
    let addresses: ClientAddresses
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
        let inFlight = identified(inFlight, request)
        // The request counts until its response is written.
        defer { withExtendedLifetime(inFlight) {} }
        let response = try await respond(to: request, inFlight)
        try await writer.write(response: response.head, body: response.body)
    }

    /// The request with its client, who is not the connection's where that is a proxy's.
    private func identified(_ inFlight: InFlightRequest, _ request: Request) -> InFlightRequest {
        var inFlight = inFlight
        inFlight.caller = addresses.caller(
            of: inFlight.caller,
            forwardedFor: ForwardedFor.field.flatMap { request.headers[$0] }
        )
        do throws(AddressBudget.Exceeded) {
            try addresses.admit(&inFlight.caller)
        } catch {
            addresses.refusals.count(.connectionsPerAddress)
            inFlight.refusal = error.problem
        }
        return inFlight
    }
}
