import Hummingbird
import HummingbirdCore
import Logging
import NIOCore

/// Answers a channel's requests with a router, and adds the header fields of every response.
struct RouterResponder<Responder: HTTPResponder>: Sendable where Responder.Context == ApusRequestContext {
    let router: Responder
    let logger: Logger

    func respond(
        to request: Request,
        _ writer: consuming ResponseWriter,
        on channel: any Channel
    ) async throws {
        var logger = logger
        logger[metadataKey: "hb.request.id"] = .stringConvertible(RequestID())
        let context = ApusRequestContext(source: ApplicationRequestContextSource(channel: channel, logger: logger))
        var response = try await router.respond(to: request, context: context)
        response.headers[.date] = httpDate()
        // The field would describe a body that is not sent (RFC 9110 section 8.6).
        if response.status == .notModified { response.headers[.contentLength] = nil }
        try await writer.write(response: response.head, body: response.body)
    }
}
