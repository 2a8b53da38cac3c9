import ApusProtocol
import HTTPTypes
import Testing

@testable import ApusServer

@Suite struct EndpointTests {
    @Test func `every operation is in the table once`() {
        let operations = Endpoint.all.flatMap(\.methods).map(\.operation)
        #expect(operations.count == Set(operations).count)
        #expect(Set(operations) == Set(Operation.allCases))
    }

    @Test func `every path leads to its endpoint, in its dialect`() throws {
        for endpoint in Endpoint.all {
            for (path, dialect) in endpoint.paths {
                let match = try #require(Endpoint.at(path.replacing(/\{[a-z]+\}/, with: "a%2Fb")[...]))
                #expect(match.endpoint.path == endpoint.path)
                #expect(match.dialect == dialect)
                #expect(match.name == (path.contains("{") ? "a%2Fb" : nil))
            }
        }
    }

    @Test(arguments: [
        "", "//", "*", "/v1", "/v1/", "/V1/topics", "/v2/ws", "/v1/v1/topics", "/v1/docs", "/v1/livez", "/WS", "/ws/",
        "/wsx", "/topics/", "/topics//", "/topics//events", "/topics/x/", "/topics/x/nope", "/topics/x/messages/y",
        "topics", "x/topics/y", "//topics",
    ])
    func `other paths lead nowhere`(path: String) {
        #expect(Endpoint.at(path[...])?.endpoint.path == nil)
    }

    @Test(arguments: ["events", "{name}", "messages", "v1", "ws"])
    func `a topic may be called like a part of a path`(name: String) {
        let match = Endpoint.at("/v1/topics/\(name)/events"[...])
        #expect(match?.name == name[...])
        #expect(match?.endpoint.kind == .eventStream)
        #expect(Endpoint.at("/topics/\(name)"[...])?.endpoint.kind == .rest)
    }

    @Test(arguments: [
        ("/topics", "GET, HEAD, POST"), ("/topics/x", "DELETE, GET, HEAD, PUT"), ("/v1/topics/x/events", "GET, HEAD"),
        ("/ws", "GET, HEAD"),
    ])
    func `a path knows its methods`(path: String, allow: String) {
        #expect(Endpoint.at(path[...])?.endpoint.allow == allow)
    }

    @Test(arguments: [
        ("/topics", "GET", Endpoint.Need.credential), ("/topics", "PATCH", .credential),
        ("/metrics", "HEAD", .credential),
        ("/health", "GET", .identity), ("/v1/health", "HEAD", .identity), ("/docs", "POST", .nothing),
        ("/ws", "GET", .nothing), ("/events", "GET", .credential),
    ])
    func `only what reveals nothing needs no credential`(path: String, method: String, need: Endpoint.Need) throws {
        let method = try #require(HTTPRequest.Method(rawValue: method))
        #expect(Endpoint.at(path[...])?.endpoint.needs(method) == need)
    }
}
