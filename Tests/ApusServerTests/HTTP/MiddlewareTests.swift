import ApusProtocol
import ApusSockets
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import ApusServer

/// Each middleware alone, in front of a route that is told what to do.
@Suite struct MiddlewareTests {
    private let registry = MetricsRegistry()

    private func context(
        _ path: String,
        onUnixSocket: Bool = false,
        refusal: Problem? = nil
    ) async throws -> ApusRequestContext {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let caller = Caller(address: .unknown, isOnUnixSocket: onUnixSocket)
        var inFlight = try await loop.submit {
            InFlightRequest(on: NoConnection(), eventLoop: loop, caller: caller)
        }.get()
        inFlight.refusal = refusal
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        var context = ApusRequestContext(source: ApusRequestContext.Source(inFlight: inFlight, logger: logger))
        context.match = BasePath("").endpoint(at: path)
        return context
    }

    private func request(
        _ method: HTTPRequest.Method,
        _ path: String,
        _ fields: HTTPFields = [:],
        host: String? = "localhost"
    ) -> Request {
        let head = HTTPRequest(method: method, scheme: nil, authority: host, path: path, headerFields: fields)
        return Request(head: head, body: RequestBody(buffer: ByteBuffer()))
    }

    private static func joined(_ fields: HTTPFields, _ more: HTTPFields) -> HTTPFields {
        var fields = fields
        fields.append(contentsOf: more)
        return fields
    }

    /// The fields of a preflight.
    private static func asking(_ page: HTTPFields) -> HTTPFields {
        joined(page, [.accessControlRequestMethod: "PUT"])
    }

    /// The code of the refusal; `passed` when the route was reached, or the status of an answer without it.
    private func outcome(
        _ middleware: some RouterMiddleware<ApusRequestContext>,
        _ request: Request,
        onUnixSocket: Bool = false
    ) async throws -> String {
        var isPassed = false
        do {
            let response = try await middleware.handle(
                request,
                context: try await context(request.uri.path, onUnixSocket: onUnixSocket)
            ) { _, _ in
                isPassed = true
                return Response(status: .ok)
            }
            return isPassed ? "passed" : "\(response.status.code)"
        } catch let problem as Problem {
            return problem.code.rawValue
        }
    }

    // MARK: Requests

    private func middleware() -> RequestMiddleware {
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let log = RequestLog(logger: logger, metrics: RequestMetrics(registry: registry), basePath: BasePath(""))
        return RequestMiddleware(basePath: BasePath(""), log: log)
    }

    private struct Unexpected: Error {}

    @Test func `every error becomes a problem document, and is counted by its code`() async throws {
        for (error, code) in [
            (Problem(.topicExists, "there"), .topicExists), (HTTPError(.notFound), .methodNotAllowed),
            (HTTPError(.contentTooLarge), .tooLarge), (HTTPError(.unprocessableContent), .badRequest),
            (CancellationError(), .unavailable), (ChannelError.ioOnClosedChannel, .unavailable),
            (Unexpected(), .internal),
        ] as [(any Error, ErrorCode)] {
            let response = try await middleware().handle(
                request(.patch, "/topics"),
                context: try await context("/topics")
            ) { _, _ in throw error }
            #expect(Int(response.status.code) == code.status, "\(error)")
            #expect(response.headers[.contentType] == Problem.mediaType)
            #expect(response.headers[.allow] == (code == .methodNotAllowed ? "GET, HEAD, POST" : nil))
            let counted = String(buffer: PrometheusText.write(registry.families))
            #expect(counted.contains(#"apus_errors_total{code="\#(code.rawValue)"}"#))
        }
    }

    @Test func `a path that does not exist reaches no route`() async throws {
        for path in ["/nothing", "//topics", "/topics/"] {
            let response = try await middleware().handle(
                request(.get, path),
                context: try await context(path)
            ) { _, _ in
                Issue.record("\(path) reached a route")
                return Response(status: .ok)
            }
            #expect(response.status == .notFound)
        }
    }

    @Test func `a request beyond the limit of its address reaches no route, and is counted`() async throws {
        let refusal = AddressBudget.Exceeded(limit: 3).problem
        let response = try await middleware().handle(
            request(.get, "/topics"),
            context: try await context("/topics", refusal: refusal)
        ) { _, _ in
            Issue.record("the route was reached")
            return Response(status: .ok)
        }
        #expect(response.status.code == 503 && response.headers[.retryAfter] == "1")
        #expect(String(buffer: PrometheusText.write(registry.families)).contains(#"{code="OVERLOADED"} 1"#))
    }

    // MARK: Access

    @Test func `a credential is asked for where the table says so, and its parameter is only a stream's`() async throws
    {
        let name = try #require(HTTPField.Name("X-API-Key"))
        let (some, none) = (AccessMiddleware(access: try .keys(["k"])), AccessMiddleware(access: try .keys([])))
        for (path, fields, result) in [
            ("/health", [:], "passed"), ("/topics", [:], "UNAUTHORIZED"), ("/topics", [name: "k"], "passed"),
            ("/topics", [name: "x"], "UNAUTHORIZED"), ("/topics?api_key=k", [:], "UNAUTHORIZED"),
            ("/topics/t/events?api_key=k", [:], "passed"), ("/events?topic=t&api_key=x", [:], "UNAUTHORIZED"),
            ("/events?topic=t&api_key=k", [name: "x"], "UNAUTHORIZED"),
        ] as [(String, HTTPFields, String)] {
            let request = request(.get, path, fields)
            #expect(try await outcome(some, request) == result, "\(path)")
            #expect(try await outcome(none, request) == "passed", "\(path)")
        }
    }

    private func sites(_ origin: String? = nil, isLocal: Bool = true) -> SettingsInForce {
        var configuration = ApusServer.ServerConfiguration()
        configuration.access.allowedOrigins = [origin.flatMap { AllowedOrigin($0) }].compactMap(\.self)
        return SettingsInForce(configuration, isLocal: isLocal)
    }

    @Test func `foreign names and pages are refused, and a preflight is answered before the route`() async throws {
        let (page, foreign): (HTTPFields, HTTPFields) = ([.origin: "https://a.example"], [.origin: "https://b.example"])
        let site = SiteMiddleware(settings: sites("https://a.example"))
        for (request, onUnixSocket, result) in [
            (request(.get, "/topics", host: "b.example"), false, "FORBIDDEN_HOST"),
            (request(.get, "/topics", host: "b.example"), true, "passed"),
            (request(.get, "/topics", host: nil), false, "passed"),
            (request(.get, "/topics", foreign), false, "passed"),
            (request(.post, "/topics", foreign), false, "FORBIDDEN_ORIGIN"),
            (request(.post, "/topics", page), false, "passed"),
            (request(.options, "/topics", page), false, "passed"),
            (request(.options, "/topics", Self.asking(page)), false, "204"),
            (request(.options, "/topics", Self.asking(foreign)), true, "FORBIDDEN_ORIGIN"),
            (request(.options, "/nothing", Self.asking(page)), false, "passed"),
        ] {
            #expect(try await outcome(site, request, onUnixSocket: onUnixSocket) == result, "\(request.head)")
        }
    }

    @Test func `a preflight says what a page may send, also from the internet`() async throws {
        let asked = try #require(HTTPField.Name("Access-Control-Request-Private-Network"))
        let allowed = try #require(HTTPField.Name("Access-Control-Allow-Private-Network"))
        let fields: HTTPFields = [.origin: "https://a.example", .accessControlRequestMethod: "PUT"]
        for (more, answer) in [([:], nil), ([asked: "true"], "true")] as [(HTTPFields, String?)] {
            let response = try await SiteMiddleware(settings: sites("*")).handle(
                request(.options, "/topics/t", Self.joined(fields, more)),
                context: try await context("/topics/t")
            ) { _, _ in Response(status: .ok) }
            #expect(response.headers[.accessControlAllowMethods] == "DELETE, GET, HEAD, PUT")
            #expect(response.headers[.accessControlAllowHeaders]?.contains("X-API-Key") == true)
            #expect(response.headers[allowed] == answer)
        }
    }

    @Test func `an answer may be read by admitted pages, and says itself what differs`() async throws {
        let (page, foreign): (HTTPFields, HTTPFields) = ([.origin: "https://a.example"], [.origin: "https://b.example"])
        for (allowed, fields, own, origin, vary) in [
            ("https://a.example", page, nil, "https://a.example", "Origin"),
            ("https://a.example", foreign, nil, nil, "Origin"), ("https://a.example", [:], nil, nil, "Origin"),
            ("*", foreign, nil, "*", nil), ("https://a.example", foreign, "*", "*", nil),
        ] as [(String, HTTPFields, String?, String?, String?)] {
            let response = try await CrossOriginMiddleware(settings: sites(allowed)).handle(
                request(.get, "/topics", fields),
                context: try await context("/topics")
            ) { _, _ in
                Response(status: .ok, headers: own.map { [.accessControlAllowOrigin: $0] } ?? [:])
            }
            #expect(response.headers[.accessControlAllowOrigin] == origin)
            #expect(response.headers[.vary] == vary)
        }
    }
}
