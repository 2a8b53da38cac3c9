import ApusAccess
import ApusBroker
import ApusProtocol
import HTTPTypes
import Hummingbird
import Logging
import NIOConcurrencyHelpers
import NIOCore

/// The REST interface: topics, messages, event streams, health, statistics, documentation.
struct Routes {
    /// The largest `POST /topics` body in bytes. Larger bodies are refused.
    static let maxBody = 64 * 1024

    let broker: any Broker
    let pubSub: PubSub
    let access: AccessControl
    let contexts: LoopContexts
    let streams: StreamGate
    let metrics: ServerMetrics
    let refusals: HandshakeRefusals
    let documents: Documents
    let figures: ConsoleFigures
    let recentLog: RecentLog
    /// `nil` if the server is no node of a cluster.
    let cluster: ClusterView?
    /// The revocations of all nodes; `nil` if the server is no node of a cluster.
    let revocations: ClusterRevocations?
    let logger: Logger
    let started = ContinuousClock.now
    let isTracing = NIOLockedValueBox(false)

    var settings: ServerConfiguration { contexts.settings }

    /// Adds a route for each path and method in the table of endpoints.
    func add(to router: Router<ApusRequestContext>, below basePath: BasePath) {
        for endpoint in Endpoint.all {
            for (path, dialect) in endpoint.paths {
                // Some endpoints also work without the base path.
                for prefix in endpoint.place == .machine ? Set([basePath.text, ""]) : [basePath.text] {
                    add(endpoint, at: RouterPath(prefix + path), dialect, to: router)
                }
            }
        }
    }

    private func add(
        _ endpoint: Endpoint,
        at path: RouterPath,
        _ dialect: Dialect,
        to router: Router<ApusRequestContext>
    ) {
        for method in endpoint.methods {
            // An event stream's HEAD has its own route: a response derived from GET would have a size.
            for name in endpoint.isStream ? [method.name, .head] : [method.name] {
                router.on(path, method: name) { request, context in
                    try await respond(to: request, context, method.operation, dialect)
                }
            }
        }
    }

    private func respond(
        to request: Request,
        _ context: ApusRequestContext,
        _ operation: Operation,
        _ dialect: Dialect
    ) async throws -> Response {
        switch operation {
        case .listTopics: listTopics(context)
        case .createTopic: try await createTopic(request, context)
        case .inspectTopic: try await inspectTopic(context)
        case .putTopic: try await putTopic(request, context)
        case .deleteTopic: try await deleteTopic(request, context)
        case .publishMessage: try await publish(request, context, dialect: dialect)
        case .readMessages: try await history(request, context, dialect: dialect)
        case .followTopic, .followTopics: try await eventStream(request, context)
        case .listTopicSubscribers: try await topicSubscribers(request, context)
        case .listSubscribers: try await allSubscribers(request, context)
        case .getHealth: health(dialect, context)
        case .getStats: try stats(context)
        case .getCluster: try await getCluster(context)
        case .listRevocations: try listRevocations(request, context)
        case .revoke: try await revoke(request, context)
        case .deleteRevocation: try await deleteRevocation(request, context)
        case .purgeTopic: try await purgeTopic(request, context)
        case .traceMessage: try await traceMessage(request, context)
        case .kickConnection: try await kickConnection(request, context)
        case .getAccess: getAccess(context)
        case .checkAccess: try await checkAccess(request, context)
        case .listKeys: try listKeys(request, context)
        // Valid handshakes are handled before the router.
        case .openWebSocket: try refuseHandshake(context)
        case .getLiveness: live()
        case .getReadiness: ready()
        case .getMetrics: try await allMetrics(request, context)
        case .getClient: documents.client.response(to: request)
        case .getClientTypes: documents.clientTypes.response(to: request)
        case .getDocs: documents.docsPage.response(to: request)
        case .getDocsScript: documents.docsScript.response(to: request)
        case .getDocsStyle: documents.docsStyle.response(to: request)
        case .getOpenAPI: documents.openAPI.response(to: request)
        case .getAsyncAPI: documents.asyncAPI.response(to: request)
        case .getService: service(request)
        case .getConsoleFile: try consoleFile(request, context)
        case .followConsole: try followConsole(request, context)
        case .getConsoleTopics: try await consoleTopics(request, context)
        case .getConsoleSample: try consoleSample(context)
        case .getConsoleLog: try consoleLog(request, context)
        }
    }

    /// The topic name in the request's path.
    func topicName(_ context: ApusRequestContext) throws(Problem) -> String {
        guard let name = context.match?.name.flatMap(percentDecoded) else { throw .undecodableTopicName }
        return name
    }

    /// The topic name in the request's path, if the client may do what it asks for. A refusal does not say whether the
    /// topic exists.
    func topicName(_ context: ApusRequestContext, for actions: Actions) throws(Problem) -> String {
        let name = try topicName(context)
        try require(actions, on: name, context)
        return name
    }

    func require(_ actions: Actions, on topic: String, _ context: ApusRequestContext) throws(Problem) {
        do throws(Forbidden) { try context.access.require(actions, on: topic) } catch { throw error.problem }
    }

    func requireSomewhere(_ action: Actions, _ context: ApusRequestContext) throws(Problem) {
        guard context.access.rights.mayAllow(action) else { throw Forbidden(action).problem }
    }

    func refuseWhileDraining() throws(Problem) {
        if contexts.isDraining.isSet { throw Problem.unavailable("The server is shutting down") }
    }

    func refuseWhileFull() throws(Problem) {
        if contexts.memory.isFull.isSet { throw .memoryIsFull }
    }

    private func refuseHandshake(_ context: ApusRequestContext) throws -> Response {
        let refusal = Handshake.Refusal.notUpgrading
        refusals.note(refusal.reason, refusal.problem, address: context.inFlight.address)
        throw refusal.problem
    }

    // MARK: Status

    /// Fails slowly: a loop must be silent for a while before the process counts as dead.
    private func live() -> Response {
        contexts.isAlive
            ? .json(.ok, ByteBuffer(string: #"{"status":"alive"}"#))
            : .json(.serviceUnavailable, ByteBuffer(string: #"{"status":"stuck"}"#))
    }

    /// Fails as soon as the server starts to drain, so that it gets no more traffic, and when it can keep no message.
    private func ready() -> Response {
        if contexts.isDraining.isSet {
            return .json(.serviceUnavailable, ByteBuffer(string: #"{"status":"draining"}"#))
        }
        if let failure = broker.journal?.failure {
            return .json(
                .serviceUnavailable,
                ByteBuffer(string: #"{"status":"failed","detail":\#(jsonString(failure.message))}"#)
            )
        }
        if let reason = broker.journal?.waitsFor {
            return .json(
                .serviceUnavailable,
                ByteBuffer(string: #"{"status":"waiting","detail":\#(jsonString(reason))}"#)
            )
        }
        return .json(.ok, ByteBuffer(string: #"{"status":"ready"}"#))
    }

    private func health(_ dialect: Dialect, _ context: ApusRequestContext) -> Response {
        let topics = broker.topics.filter { context.access.rights.hasAnyRight(onTopic: $0.name) }
        let others = cluster?.others
        let subscribers = topics.reduce(0) { $0 + $1.subscriberCount + (others?[$1.name] ?? 0) }
        let uptime = (ContinuousClock.now - started).components.seconds
        let key = dialect == .base ? "uptime_sec" : "uptime_seconds"
        let body = #"{"\#(key)":\#(uptime),"topics":\#(topics.count),"subscribers":\#(subscribers)\#(asOf(others))}"#
        return .json(.ok, ByteBuffer(string: body))
    }

    private func allMetrics(_ request: Request, _ context: ApusRequestContext) async throws -> Response {
        do throws(Forbidden) { try context.access.requireEverywhere(.stats) } catch { throw error.problem }
        let isOpenMetrics = AcceptedTypes(request.headers[values: .accept]).prefersOpenMetrics
        let type = isOpenMetrics ? OpenMetricsText.contentType : PrometheusText.contentType
        return .json(.ok, await metrics.text(isOpenMetrics: isOpenMetrics), type: type)
    }

    private func stats(_ context: ApusRequestContext) throws(Problem) -> Response {
        try requireSomewhere(.stats, context)
        var body = ByteBuffer(string: #"{"topics":{"#)
        let topics = sortedTopics { context.access.rights.allows(.stats, topic: $0) }
        let others = cluster?.others
        for (index, topic) in topics.enumerated() {
            if index > 0 { body.writeString(",") }
            body.writeBytes(topic.template.topicJSON)
            let subscribers = topic.subscriberCount + (others?[topic.name] ?? 0)
            body.writeString(#":{"messages":\#(topic.publishedCount),"subscribers":\#(subscribers)}"#)
        }
        body.writeString("}\(asOf(others))}")
        return .json(.ok, body)
    }

    /// - Parameter isVisible: which topics are listed, by name.
    func sortedTopics(_ isVisible: (String) -> Bool) -> [Topic] {
        broker.topics.filter { isVisible($0.name) }.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }
}
