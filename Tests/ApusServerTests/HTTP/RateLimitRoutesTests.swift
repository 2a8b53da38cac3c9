import ApusProtocol
import HTTPTypes
import Testing

@testable import ApusServer

/// Rate limits over HTTP, once at the router and once over a port.
@Suite(.timeLimit(.minutes(1))) struct RateLimitRoutesTests {
    private static let ndjson: HTTPFields = [.contentType: "application/x-ndjson"]
    private static let json: HTTPFields = [.contentType: "application/json"]

    @Test(arguments: RouteServer.allCases)
    func `messages beyond the rate are 429 with Retry-After, a batch as a whole`(server: RouteServer) async throws {
        try await server.run({ ($0.rates.publish, $0.rates.publishBurst) = (Rate(1, per: .hour), 3) }) { client in
            _ = try await client(.put, "/topics/t", "{}")
            #expect(try await client(.post, "/topics/t/messages", "1\n2", Self.ndjson).status == 201)
            #expect(try await client(.post, "/topics/missing/messages", "3", Self.json).status == 404)
            let refused = try await client(.post, "/topics/t/messages", "3\n4", Self.ndjson)
            #expect(refused.status == 429 && refused.body.contains(#""code":"RATE_LIMITED""#), "\(refused.body)")
            let wait = try #require(refused.fields[.retryAfter].flatMap { Int($0) })
            #expect((3000...3600).contains(wait))
            #expect(try await client(.post, "/v1/topics/t/messages", "5", Self.json).status == 201)
            #expect(try await client(.post, "/topics/t/messages", "6", Self.json).status == 429)
            #expect(try await client(.get, "/topics/t").body.contains(#""messages":3,"#))
            let metrics = try await client(.get, "/metrics").body
            #expect(metrics.contains(#"apus_rate_limited_total{limit="publish"} 2"#))
            #expect(metrics.contains(#"apus_rate_limited_total{limit="topic"} 0"#))
            #expect(metrics.contains(#"apus_errors_total{code="RATE_LIMITED"} 2"#))
            #expect(metrics.contains("apus_publish_budgets 1"))
        }
    }

    @Test(arguments: RouteServer.allCases)
    func `a topic's rate is one of its settings`(server: RouteServer) async throws {
        try await server.run({ $0.rates.topic = Rate(5) }) { client in
            let made = try await client(.put, "/topics/t", #"{"topic_rate":"1/h"}"#)
            #expect(made.body.contains(#""topic_rate":"1/h","topic_burst":1"#), "\(made.body)")
            #expect(try await client(.post, "/topics/t/messages", "1", Self.json).status == 201)
            let refused = try await client(.post, "/topics/t/messages", "2", Self.json)
            #expect(refused.status == 429 && refused.body.contains("Topic 't'"), "\(refused.body)")
            let changed = try await client(.put, "/topics/t", #"{"topic_rate":null}"#)
            #expect(changed.body.contains(#""topic_rate":5,"topic_burst":5"#), "\(changed.body)")
            let off = try await client(.put, "/topics/t", #"{"topic_rate":0}"#)
            #expect(off.body.contains(#""topic_rate":null,"topic_burst":null"#), "\(off.body)")
            #expect(try await client(.post, "/topics/t/messages", "3", Self.json).status == 201)
        }
    }
}
