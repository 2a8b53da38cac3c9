import Glibc
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1

/// What answers a channel's requests: a router, with what every answer has.
struct RouterResponder<Responder: HTTPResponder>: Sendable where Responder.Context == ApusRequestContext {
    let router: Responder
    let logger: Logger

    /// The client broke off what it sent while its answer was being written: there is no other answer then.
    struct BrokenOff: Error {}

    func respond(
        to request: Request,
        _ writer: consuming ResponseWriter,
        on channel: any Channel
    ) async throws {
        var logger = logger
        logger[metadataKey: "hb.request.id"] = .stringConvertible(RequestID())
        let context = ApusRequestContext(source: ApplicationRequestContextSource(channel: channel, logger: logger))
        var response = try await router.respond(to: request, context: context)
        response.headers[.date] = Self.date()
        do {
            try await writer.write(response: response.head, body: response.body)
        } catch is HTTPParserError {
            throw BrokenOff()
        }
    }

    /// The time as `Date` fields have it (RFC 9110 section 5.6.7).
    private static func date() -> String {
        var seconds = time(nil)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { text in
            guard let base = text.baseAddress,
                strftime(base, text.count, "%a, %d %b %Y %H:%M:%S GMT", &parts) > 0
            else { return "" }
            return String(cString: base)
        }
    }
}
