import ApusProtocol
import HTTPTypes
import Testing

@testable import ApusServer

/// The routes, once at the router and once over a port: the same steps give the same answers.
@Suite(.timeLimit(.minutes(1))) struct RoutesTests {
    private typealias Client = RouteServer.Client

    /// Checks an answer's status, and a part of its body.
    private static func expect(
        _ answer: RouteServer.Answer,
        _ status: Int,
        _ part: String = "",
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(answer.status == status, "\(answer.body)", sourceLocation: sourceLocation)
        #expect(part.isEmpty || answer.body.contains(part), "\(answer.body)", sourceLocation: sourceLocation)
        if answer.status >= 400 {
            #expect(answer.fields[.contentType] == Problem.mediaType, sourceLocation: sourceLocation)
        }
    }

    @Test(arguments: RouteServer.allCases)
    func `topics are made, changed, listed and deleted`(server: RouteServer) async throws {
        try await server.run { client in
            Self.expect(try await client(.get, "/topics"), 200, #"{"topics":[]}"#)
            Self.expect(try await client(.post, "/topics", #"{"name":"t"}"#), 201, #""status":"created","topic":"t""#)
            Self.expect(try await client(.post, "/topics", #"{"name":"t"}"#), 409, "TOPIC_EXISTS")
            Self.expect(try await client(.put, "/topics/t", #"{"history":5}"#), 200, #""history":5"#)
            Self.expect(try await client(.put, "/topics/u", "{}"), 201, #""status":"created""#)
            Self.expect(try await client(.get, "/topics/t"), 200, #""history":5"#)
            Self.expect(try await client(.get, "/v1/topics"), 200, #"{"name":"t","subscribers":0}"#)
            Self.expect(try await client(.get, "/topics/t/subscribers"), 200, #"{"subscribers":[],"gone":[]}"#)
            Self.expect(try await client(.delete, "/topics/t"), 200, #""status":"deleted""#)
            Self.expect(try await client(.delete, "/topics/t"), 404, "TOPIC_NOT_FOUND")
            Self.expect(try await client(.get, "/topics/t"), 404, "TOPIC_NOT_FOUND")
        }
    }

    @Test(arguments: RouteServer.allCases)
    func `what is published is in the history`(server: RouteServer) async throws {
        let json: HTTPFields = [.contentType: "application/json"]
        try await server.run { client in
            _ = try await client(.post, "/topics", #"{"name":"t"}"#)
            let first = try await client(.post, "/topics/t/messages?id=a", "1", json)
            Self.expect(first, 201, #""id":"a""#)
            #expect(first.body.contains(#""offset":1"#) && first.body.contains(#""ts":""#))
            let second = try await client(.post, "/v1/topics/t/messages", "text", [.contentType: "text/plain"])
            Self.expect(second, 201, #""timestamp":""#)
            let lines: HTTPFields = [.contentType: "application/x-ndjson"]
            Self.expect(try await client(.post, "/topics/t/messages", "3\n4\n", lines), 201, #""count":2"#)
            let page = try await client(.get, "/topics/t/messages")
            Self.expect(page, 200, #""first":1,"last":4"#)
            for payload in ["1", "\"text\"", "3", "4"] { #expect(page.body.contains(#""payload":\#(payload)}"#)) }
            let rest = try await client(.get, "/topics/t/messages?after=3&wait=1m")
            Self.expect(rest, 200, #""offset":4"#)
            #expect(!rest.body.contains(#""offset":3"#))
            Self.expect(try await client(.get, "/topics/t/messages?after=4&wait=1ms"), 200, #""messages":[],"next":4"#)
        }
    }

    @Test(arguments: RouteServer.allCases)
    func `health, statistics and documents are there`(server: RouteServer) async throws {
        try await server.run { client in
            _ = try await client(.post, "/topics", #"{"name":"t"}"#)
            Self.expect(try await client(.get, "/health"), 200, #","topics":1,"subscribers":0}"#)
            Self.expect(try await client(.get, "/health"), 200, #"{"uptime_sec":"#)
            Self.expect(try await client(.get, "/v1/health"), 200, #"{"uptime_seconds":"#)
            Self.expect(try await client(.get, "/stats"), 200, #"{"topics":{"t":{"messages":0,"subscribers":0}}}"#)
            Self.expect(try await client(.get, "/livez"), 200, "alive")
            Self.expect(try await client(.get, "/readyz"), 200, "ready")
            let metrics = try await client(.get, "/metrics")
            Self.expect(metrics, 200, #"apus_http_requests_total{method="GET",status="200"}"#)
            let document = try await client(.get, "/openapi.json")
            Self.expect(document, 200, #""openapi": "3."#)
            let tag = try #require(document.fields[.eTag])
            let same = try await client(.get, "/openapi.json", nil, [.ifNoneMatch: tag])
            Self.expect(same, 304)
            #expect(same.body.isEmpty && same.fields[.date] != nil)
            let head = try await client(.head, "/health")
            #expect(head.status == 200 && head.body.isEmpty)
        }
    }

    @Test(arguments: RouteServer.allCases)
    func `a refusal has its code, and says what would be right`(server: RouteServer) async throws {
        try await server.run({ $0.limits.maxMessage = 1024 }) { client in
            _ = try await client(.post, "/topics", #"{"name":"t"}"#)
            Self.expect(try await client(.get, "/nothing"), 404, #""code":"NOT_FOUND""#)
            Self.expect(try await client(.get, "/topics/"), 404, #""code":"NOT_FOUND""#)
            let wrong = try await client(.delete, "/topics")
            Self.expect(wrong, 405, #""code":"METHOD_NOT_ALLOWED""#)
            #expect(wrong.fields[.allow] == "GET, HEAD, POST")
            for body in ["", "{", "[]", "{}", #"{"name":1}"#, #"{"name":null}"#, #"{"name":""}"#] {
                Self.expect(try await client(.post, "/topics", body), 400)
            }
            Self.expect(try await client(.post, "/topics/t/messages", "{"), 400, "not valid JSON")
            Self.expect(try await client(.post, "/topics/u/messages", "1"), 404, "TOPIC_NOT_FOUND")
            let large = String(repeating: "1", count: 1025)
            Self.expect(try await client(.post, "/topics/t/messages", large), 413, "larger than 1024 bytes")
            Self.expect(try await client(.get, "/topics/t/messages?limit=0"), 400, "'limit'")
            Self.expect(try await client(.get, "/topics/t/messages?after=9&epoch=x&since=all"), 400, "exclude")
            Self.expect(try await client(.get, "/topics/%ff"), 400, "percent-encoded")
            Self.expect(try await client(.get, "/ws"), 426)
            Self.expect(try await client(.get, "/topics/u/events"), 404, "TOPIC_NOT_FOUND")
        }
    }

    @Test(arguments: RouteServer.allCases)
    func `a key is needed, but for what is open`(server: RouteServer) async throws {
        let name = try #require(HTTPField.Name("X-API-Key"))
        try await server.run({ $0.access.apiKeys = ["k", "l"] }) { client in
            for path in ["/health", "/v1/health", "/livez", "/readyz", "/docs", "/openapi.json", "/apus.js"] {
                Self.expect(try await client(.get, path), 200)
            }
            for path in ["/topics", "/stats", "/metrics", "/subscribers", "/topics?api_key=k"] {
                let refused = try await client(.get, path)
                Self.expect(refused, 401, #""code":"UNAUTHORIZED""#)
                #expect(refused.fields[.wwwAuthenticate] == #"ApiKey realm="apus""#)
            }
            Self.expect(try await client(.get, "/topics", nil, [name: "l"]), 200)
            Self.expect(try await client(.get, "/topics", nil, [name: "K"]), 401)
            // Only a browser's event stream may have its key in the URL. There is no such topic.
            Self.expect(try await client(.get, "/topics/u/events?api_key=k"), 404)
            Self.expect(try await client(.get, "/topics/u/events?api_key=k", nil, [name: "x"]), 401)
        }
    }

    @Test(arguments: RouteServer.allCases)
    func `a prefix stands before every path but those of the machine's probes`(server: RouteServer) async throws {
        try await server.run({ $0.basePath = "/apus" }) { client in
            for path in ["/apus/topics", "/apus/v1/topics", "/apus/livez", "/livez", "/readyz"] {
                Self.expect(try await client(.get, path), 200)
            }
            // Browsers look for the page one slash below.
            let moved = try await client(.get, "/apus")
            Self.expect(moved, 308)
            #expect(moved.fields[.location] == "/apus/")
            Self.expect(try await client(.post, "/apus"), 404)
            for path in ["/topics", "/apusx/topics", "/apusx", "/", "/health", "/apus/apus/topics"] {
                Self.expect(try await client(.get, path), 404, #""code":"NOT_FOUND""#)
            }
        }
    }

    @Test(arguments: RouteServer.allCases)
    func `a page of another site may not change anything, and only an admitted one may read`(
        server: RouteServer
    ) async throws {
        let (page, other) = ("https://a.example", "https://b.example")
        let (friend, foreign): (HTTPFields, HTTPFields) = ([.origin: page], [.origin: other])
        let asking: HTTPFields = [.origin: page, .accessControlRequestMethod: "POST"]
        try await server.run({ $0.access.allowedOrigins = [AllowedOrigin(page)].compactMap(\.self) }) {
            client in
            let created = try await client(.post, "/topics", #"{"name":"t"}"#, friend)
            Self.expect(created, 201)
            #expect(created.fields[.accessControlAllowOrigin] == page)
            let refused = try await client(.post, "/topics", #"{"name":"u"}"#, foreign)
            Self.expect(refused, 403, #""code":"FORBIDDEN_ORIGIN""#)
            let read = try await client(.get, "/topics", nil, foreign)
            Self.expect(read, 200, #""name":"t""#)
            for answer in [refused, read] {
                #expect(answer.fields[.accessControlAllowOrigin] == nil && answer.fields[.vary] == "Origin")
            }
            let asked = try await client(.options, "/topics", nil, asking)
            Self.expect(asked, 204)
            #expect(asked.fields[.accessControlAllowMethods] == "GET, HEAD, POST")
        }
    }
}
