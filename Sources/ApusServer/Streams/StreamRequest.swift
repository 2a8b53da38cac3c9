import ApusBroker
import ApusProtocol

/// A request for an event stream (WHATWG HTML standard, section 9.2), parsed from its URL and header fields.
struct StreamRequest: Sendable {
    let dialect: Dialect
    /// One subscription for each topic or pattern.
    let subscriptions: [SubscribeRequest]

    /// Whether events have positions that a client can resume from. Only streams of a single topic have them.
    var isPositioned: Bool {
        subscriptions.count == 1 && !TopicFilter.isPattern(subscriptions[0].topic)
    }

    /// The header fields of every stream's response, in addition to `Date` and the fields that frame the body.
    static let headers = [
        ("Content-Type", "text/event-stream; charset=utf-8"),
        // A proxy that transforms or buffers a stream delays events.
        ("Cache-Control", "no-cache, no-transform"),
        ("X-Accel-Buffering", "no"),
    ]

    /// - Parameters:
    ///   - match: the endpoint, which names one topic or leaves that to the query.
    ///   - lastEventID: the value of the header field `Last-Event-ID`.
    ///   - settings: the limits for the values.
    /// - Throws: ``Problem`` that names the error.
    init(
        _ match: Endpoint.Match,
        query: some StringProtocol,
        lastEventID: String?,
        settings: ServerConfiguration
    ) throws(Problem) {
        let query = try QueryParameters(query)
        let topics: [String]
        if let name = match.name {
            guard let topic = percentDecoded(name) else { throw .undecodableTopicName }
            topics = [topic]
        } else {
            topics = query.all("topic")
        }
        dialect = match.dialect
        subscriptions = try Self.subscriptions(query, to: topics, lastEventID: lastEventID, settings: settings)
    }

    private static func subscriptions(
        _ query: QueryParameters,
        to topics: [String],
        lastEventID: String?,
        settings: ServerConfiguration
    ) throws(Problem) -> [SubscribeRequest] {
        let limits = settings.limits
        guard Field.topics.range(limits).contains(topics.count) else {
            throw Problem(.badRequest, "'topic' is required, at most \(Field.topics.range(limits).upperBound) times")
        }
        guard !topics.contains("") else { throw Problem(.badRequest, "'topic' must not be empty") }
        let clientID = try query.text(.clientID, limits) ?? "sse"
        let queue = try query.integer(.queue, limits)
        let presence = try query.flag(.presence) ?? false
        let echo = try query.flag(.echo) ?? true
        let traces = try query.flag(.trace) ?? false
        var overflow: OverflowPolicy?
        if let text = query["overflow"] {
            overflow = OverflowPolicy(rawValue: text)
            let names = OverflowPolicy.allCases.map(\.rawValue).joined(separator: ", ")
            if overflow == nil { throw Problem(.badRequest, "'overflow' must be one of \(names)") }
        }
        if let refusal = settings.delivery.refusal(of: overflow) { throw Problem(.badRequest, refusal) }
        let start = try start(query, of: topics, lastEventID: lastEventID)
        let waits = try waits(query, of: topics, lastEventID: lastEventID)
        let makesTopics = settings.topics.createOn.contains(.subscribe)
        // Checked before any topic is created for one of the subscriptions.
        for topic in topics where makesTopics && !TopicFilter.isPattern(topic) && !TopicName.isAllowed(topic) {
            throw Problem(.nameNotAllowed)
        }
        return topics.map { topic in
            var request = SubscribeRequest(
                topic: topic,
                clientID: clientID,
                start: start,
                queue: queue,
                overflow: overflow,
                detail: .positioned,
                echo: echo,
                presence: presence
            )
            request.waits = waits
            request.traces = traces
            request.makesTopic = makesTopics
            return request
        }
    }

    /// The subscriptions, if the client may have all of them.
    ///
    /// - Throws: ``Problem`` `FORBIDDEN`.
    func permitted(to client: ClientAccess) throws(Problem) -> [SubscribeRequest] {
        var permitted = subscriptions
        for index in permitted.indices {
            do throws(Forbidden) { try client.permit(&permitted[index]) } catch { throw error.problem }
        }
        return permitted
    }

    /// Whether the subscriptions wait for their topics: because the URL says so, or because the client has connected
    /// before.
    private static func waits(
        _ query: QueryParameters,
        of topics: [String],
        lastEventID: String?
    ) throws(Problem) -> Bool {
        let isBack = (lastEventID ?? query["last_event_id"])?.isEmpty == false
        let waits = try query.flag(.waitForTopic) ?? isBack
        guard !waits || !topics.contains(where: TopicFilter.isPattern) else {
            throw Problem(.badRequest, "'wait' needs a topic, not a pattern")
        }
        return waits
    }

    /// The position of a reconnecting browser takes precedence over the position in the page's URL.
    private static func start(
        _ query: QueryParameters,
        of topics: [String],
        lastEventID: String?
    ) throws(Problem) -> ReplayStart {
        let given = try query.start()
        let name = lastEventID == nil ? "last_event_id" : "Last-Event-ID"
        // Validate the query parameter even if the header takes precedence.
        if lastEventID != nil, let other = query["last_event_id"], !other.isEmpty {
            _ = try QueryParameters.position(other, named: "last_event_id")
        }
        guard let text = lastEventID ?? query["last_event_id"], !text.isEmpty else {
            guard given == nil || given.map(isCount) == true || !topics.contains(where: TopicFilter.isPattern)
            else {
                throw Problem(.badRequest, "'since' needs a topic, not a pattern")
            }
            return given ?? .lastN(0)
        }
        guard topics.count == 1, let topic = topics.first, !TopicFilter.isPattern(topic) else {
            throw Problem(.badRequest, "'\(name)' needs one topic")
        }
        return try QueryParameters.position(text, named: name)
    }

    private static func isCount(_ start: ReplayStart) -> Bool {
        if case .lastN = start { true } else { false }
    }
}
