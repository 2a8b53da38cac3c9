import ApusBroker
import ApusProtocol
import HTTPTypes
import Hummingbird
import NIOCore

/// The REST interface: topics, messages, event streams, health, statistics, documentation.
struct Routes {
    /// The largest `POST /topics` body in bytes. Larger bodies are refused.
    static let maxBody = 64 * 1024

    let broker: any Broker
    let pubSub: PubSub
    let contexts: LoopContexts
    let streams: StreamGate
    let isDraining: DrainFlag
    let metrics: ServerMetrics
    let refusals: HandshakeRefusals
    let basePath: BasePath
    let started = ContinuousClock.now

    var settings: ServerConfiguration { contexts.settings }

    /// Adds all routes to a router.
    func add(to router: Router<ApusRequestContext>) {
        let base = basePath.text
        for (prefix, dialect) in [(base, Dialect.base), (base + "/v1", .v1)] {
            addTopics(to: router, prefix, dialect)
            addMessages(to: router, prefix, dialect)
            router.get("\(prefix)/health") { _, _ in health(dialect) }
            router.get("\(prefix)/stats") { _, _ in stats() }
            // Valid handshakes are handled before the router.
            router.get("\(prefix)/ws") { _, context in try refuseHandshake(context) }
        }
        addOperations(to: router)
    }

    private func addTopics(to router: Router<ApusRequestContext>, _ prefix: String, _ dialect: Dialect) {
        router.get("\(prefix)/topics") { _, _ in listTopics() }
        router.post("\(prefix)/topics") { request, context in try await createTopic(request, context) }
        router.get("\(prefix)/topics/:name") { request, _ in try inspectTopic(request) }
        router.put("\(prefix)/topics/:name") { request, context in try await putTopic(request, context) }
        router.delete("\(prefix)/topics/:name") { request, context in try await deleteTopic(request, context) }
        router.get("\(prefix)/topics/:name/subscribers") { request, _ in try await topicSubscribers(request) }
        router.get("\(prefix)/subscribers") { request, _ in try await allSubscribers(request) }
    }

    private func addMessages(to router: Router<ApusRequestContext>, _ prefix: String, _ dialect: Dialect) {
        router.post("\(prefix)/topics/:name/messages") { request, context in
            try await publish(request, context, dialect: dialect)
        }
        router.get("\(prefix)/topics/:name/messages") { request, context in
            try await history(request, context, dialect: dialect)
        }
        // HEAD has its own route: a response derived from GET would have a size.
        for path in ["\(prefix)/topics/:name/events", "\(prefix)/events"] {
            for method in [HTTPRequest.Method.get, .head] {
                router.on(RouterPath(path), method: method) { request, context in
                    try await eventStream(request, context)
                }
            }
        }
    }

    /// Which methods a path allows; `nil` when the path does not exist.
    static func methods(ofPath path: String) -> String? {
        let base = path.hasPrefix("/v1/") ? path.dropFirst(3) : path[...]
        switch base {
        case "/topics": return "GET, HEAD, POST"
        case "/health", "/stats", "/ws", "/events", "/subscribers": return "GET, HEAD"
        case "/docs", "/openapi.json", "/metrics", "/livez", "/readyz", "/apus.js", "/apus.d.ts":
            return base == path[...] ? "GET, HEAD" : nil
        default:
            let parts = base.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count >= 3, parts[1] == "topics", !parts[2].isEmpty else { return nil }
            switch (parts.count, parts.last) {
            case (3, _): return "DELETE, GET, HEAD, PUT"
            case (4, "messages"): return "GET, HEAD, POST"
            case (4, "events"), (4, "subscribers"): return "GET, HEAD"
            default: return nil
            }
        }
    }

    /// The topic name in a path. `fromEnd` counts the path's segments after it.
    func topicName(ofPath path: String, fromEnd: Int) throws(Problem) -> String {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count > fromEnd, let name = percentDecoded(parts[parts.count - 1 - fromEnd]) else {
            throw Problem(.badRequest, "The topic name in the path is not percent-encoded UTF-8")
        }
        return name
    }

    func refuseWhileDraining() throws(Problem) {
        if isDraining.isSet { throw Problem.unavailable("The server is shutting down") }
    }

    private func refuseHandshake(_ context: ApusRequestContext) throws -> Response {
        let refusal = Handshake.Refusal.notUpgrading
        refusals.note(refusal.reason, status: refusal.problem.code.status, address: context.inFlight.address)
        throw refusal.problem
    }

    // MARK: Status

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

    func sortedTopics() -> [Topic] {
        broker.topics.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }
}
