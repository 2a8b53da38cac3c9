import HTTPTypes
import Hummingbird

/// Lets pages of admitted origins read responses (the CORS protocol of the Fetch standard, section 3.3). The outermost
/// middleware, so that it sees refusals too.
struct CrossOriginMiddleware: RouterMiddleware {
    let settings: SettingsInForce

    func handle(
        _ request: Request,
        context: ApusRequestContext,
        next: (Request, ApusRequestContext) async throws -> Response
    ) async throws -> Response {
        var response = try await next(request, context)
        // The client library may be loaded from everywhere, and says so itself.
        guard response.headers[.accessControlAllowOrigin] == nil else { return response }
        for (name, value) in settings.sites.sharing(with: request.headers[.origin], host: request.head.authority) {
            response.headers.append(HTTPField(name: name, value: value))
        }
        return response
    }
}

/// Refuses requests of foreign pages, and answers the question that browsers ask before other requests (preflight).
struct SiteMiddleware: RouterMiddleware {
    let settings: SettingsInForce

    func handle(
        _ request: Request,
        context: ApusRequestContext,
        next: (Request, ApusRequestContext) async throws -> Response
    ) async throws -> Response {
        do {
            try settings.sites.check(
                host: request.head.authority,
                origin: request.headers[.origin],
                site: HTTPField.Name("Sec-Fetch-Site").flatMap { request.headers[$0] },
                isReading: [.get, .head].contains(request.method) && context.match?.endpoint.isCostly != true,
                isLocalSocket: context.inFlight.caller.isOnUnixSocket
            )
        } catch {
            throw error.problem
        }
        guard request.method == .options, request.headers[.origin] != nil,
            request.headers[.accessControlRequestMethod] != nil,
            let methods = context.match?.endpoint.allow
        else { return try await next(request, context) }
        return Response(status: .noContent, headers: Self.permission(methods, request))
    }

    /// What a page may send, for as long as it may remember it: 10 minutes.
    private static func permission(_ methods: String, _ request: Request) -> HTTPFields {
        var fields: HTTPFields = [
            .accessControlAllowMethods: methods,
            .accessControlAllowHeaders: """
            Accept, Authorization, Content-Encoding, Content-Type, Idempotency-Key, Last-Event-ID, traceparent, \
            tracestate, X-API-Key
            """,
            .accessControlMaxAge: "600",
        ]
        // A page on the internet that asks for a server in the user's network (Private Network Access).
        if let asked = HTTPField.Name("Access-Control-Request-Private-Network"), request.headers[asked] == "true",
            let allowed = HTTPField.Name("Access-Control-Allow-Private-Network")
        {
            fields[allowed] = "true"
        }
        return fields
    }
}

extension SitePolicy {
    /// The header fields that let a page of this origin read a response; none if it may not.
    ///
    /// Apus uses no cookies, so pages get no permission to send any.
    func sharing(with origin: String?, host: String?) -> [(HTTPField.Name, String)] {
        if allowsAll { return [(.accessControlAllowOrigin, "*")] + Self.exposed }
        // Caches must keep the responses to different pages apart, whether or not this one may read.
        let vary: [(HTTPField.Name, String)] = [(.vary, "Origin")]
        guard let origin, admits(origin: origin, host: host ?? "") else { return vary }
        return vary + [(.accessControlAllowOrigin, origin)] + Self.exposed
    }

    /// The fields that a page may read besides those that it always may.
    private static var exposed: [(HTTPField.Name, String)] {
        [(.accessControlExposeHeaders, "ETag, Link, Location, Retry-After, WWW-Authenticate")]
    }
}
