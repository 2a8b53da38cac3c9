import ApusBroker
import ApusProtocol
import HTTPTypes
import Hummingbird
import NIOCore

/// The REST interface: topics, health, statistics, documentation.
struct Routes {
    /// A `POST /topics` body beyond this is refused.
    static let maxBody = 64 * 1024

    let broker: any Broker
    let createExisting: ServerConfiguration.CreateExisting
    let isDraining: DrainFlag
    let started = ContinuousClock.now

    /// Adds everything to a router.
    func add(to router: Router<BasicRequestContext>) {
        for (prefix, dialect) in [("", Dialect.base), ("/v1", .v1)] {
            router.get("\(prefix)/topics") { _, _ in listTopics() }
            router.post("\(prefix)/topics") { request, _ in try await createTopic(request) }
            router.delete("\(prefix)/topics/:name") { request, _ in try deleteTopic(request) }
            router.get("\(prefix)/health") { _, _ in health(dialect) }
            router.get("\(prefix)/stats") { _, _ in stats() }
            // Handshakes are taken before the router, all but one that was sent before the answers to earlier requests.
            router.get("\(prefix)/ws") { _, _ -> Response in throw Handshake.Refusal.notUpgrading.problem }
        }
        router.get("/docs") { _, _ in
            Response.json(.ok, ByteBuffer(string: DocsPage.html), type: "text/html; charset=utf-8")
        }
        router.get("/openapi.json") { _, _ in Response.json(.ok, ByteBuffer(string: OpenAPIDocument.json)) }
    }

    /// Which methods a path takes; `nil` when there is no such path.
    static func methods(ofPath path: String) -> String? {
        let base = path.hasPrefix("/v1/") ? path.dropFirst(3) : path[...]
        switch base {
        case "/topics": return "GET, HEAD, POST"
        case "/health", "/stats", "/ws": return "GET, HEAD"
        case "/docs", "/openapi.json": return base == path[...] ? "GET, HEAD" : nil
        default:
            let parts = base.split(separator: "/", omittingEmptySubsequences: false)
            return parts.count == 3 && parts[1] == "topics" && !parts[2].isEmpty ? "DELETE" : nil
        }
    }

    // MARK: Topics

    private func listTopics() -> Response {
        var body = ByteBuffer(string: #"{"topics":["#)
        for (index, topic) in sortedTopics().enumerated() {
            if index > 0 { body.writeString(",") }
            body.writeString(#"{"name":"#)
            body.writeBytes(topic.template.topicJSON)
            body.writeString(#","subscribers":\#(topic.subscriberCount)}"#)
        }
        body.writeString("]}")
        return .json(.ok, body)
    }

    private func createTopic(_ request: Request) async throws -> Response {
        try refuseWhileDraining()
        let name = try await topicName(from: request)
        do throws(BrokerError) {
            try broker.createTopic(named: name)
            return topicStatus(.created, "created", name)
        } catch {
            if error.code == .topicExists, createExisting == .ok { return topicStatus(.ok, "exists", name) }
            throw error.wireCode == .unavailable
                ? Problem.unavailable(error.message) : Problem(error.wireCode, error.message)
        }
    }

    private func deleteTopic(_ request: Request) throws -> Response {
        try refuseWhileDraining()
        let encoded = request.uri.path.split(separator: "/", omittingEmptySubsequences: false).last ?? ""
        guard let name = percentDecoded(encoded) else {
            throw Problem(.badRequest, "The topic name in the path is not percent-encoded UTF-8")
        }
        do throws(BrokerError) {
            try broker.deleteTopic(named: name)
        } catch {
            throw Problem(error.wireCode, error.message)
        }
        return topicStatus(.ok, "deleted", name)
    }

    private func topicStatus(_ status: HTTPResponse.Status, _ text: String, _ name: String) -> Response {
        var body = ByteBuffer(string: #"{"status":"\#(text)","topic":"#)
        appendJSONString(name, to: &body)
        body.writeString("}")
        return .json(status, body)
    }

    private func refuseWhileDraining() throws {
        if isDraining.isSet { throw Problem.unavailable("The server is shutting down") }
    }

    // MARK: What is going on

    private func health(_ dialect: Dialect) -> Response {
        let topics = broker.topics
        let subscribers = topics.reduce(0) { $0 + $1.subscriberCount }
        let uptime = (ContinuousClock.now - started).components.seconds
        let key = dialect == .base ? "uptime_sec" : "uptime_seconds"
        let body = #"{"\#(key)":\#(uptime),"topics":\#(topics.count),"subscribers":\#(subscribers)}"#
        return .json(.ok, ByteBuffer(string: body))
    }

    private func stats() -> Response {
        var body = ByteBuffer(string: #"{"topics":{"#)
        for (index, topic) in sortedTopics().enumerated() {
            if index > 0 { body.writeString(",") }
            body.writeBytes(topic.template.topicJSON)
            body.writeString(#":{"messages":\#(topic.publishedCount),"subscribers":\#(topic.subscriberCount)}"#)
        }
        body.writeString("}}")
        return .json(.ok, body)
    }

    private func sortedTopics() -> [Topic] {
        broker.topics.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }
}
