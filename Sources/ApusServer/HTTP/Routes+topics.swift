import ApusAccess
import ApusBroker
import ApusProtocol
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

// Topics: creating, changing, listing and deleting them.

extension Routes {
    func listTopics(_ context: ApusRequestContext) -> Response {
        var body = ByteBuffer(string: #"{"topics":["#)
        let others = cluster?.others
        for (index, topic) in sortedTopics(context.access.rights.hasAnyRight).enumerated() {
            if index > 0 { body.writeString(",") }
            body.writeString(#"{"name":"#)
            body.writeBytes(topic.template.topicJSON)
            body.writeString(#","subscribers":\#(topic.subscriberCount + (others?[topic.name] ?? 0))}"#)
        }
        body.writeString("]\(asOf(others))}")
        return .json(.ok, body)
    }

    func createTopic(_ request: Request, _ context: ApusRequestContext) async throws -> Response {
        try refuseWhileDraining()
        let name = try await topicName(from: request, context)
        try require(.manage, on: name, context)
        if broker.topic(named: name) == nil { try refuseWhileFull() }
        do throws(BrokerError) {
            _ = try await broker.create(named: name)
        } catch {
            guard error.code == .topicExists else { throw Problem(error) }
            switch settings.topics.createExisting {
            case .conflict: throw Problem(error)
            case .ok: return topicStatus(.ok, "exists", name)
            case .created: return topicStatus(.created, "created", name)
            }
        }
        return topicStatus(.created, "created", name)
    }

    func putTopic(_ request: Request, _ context: ApusRequestContext) async throws -> Response {
        try refuseWhileDraining()
        let name = try topicName(context, for: .manage)
        // A change of a topic may be what makes room.
        if broker.topic(named: name) == nil { try refuseWhileFull() }
        let body = try await collect(request, context, upTo: Self.maxBody)
        let read = body.withUnsafeReadableBytes { TopicSettingsFields.read($0, maxQueue: settings.limits.maxQueue) }
        let fields: TopicSettingsFields
        switch read {
        case .success(let value): fields = value
        case .failure(let error): throw Problem(.badRequest, error.message)
        }
        if let wanted = fields.durability ?? nil { try check(wanted) }
        let (topic, isNew): (Topic, Bool)
        do throws(BrokerError) {
            (topic, isNew) = try await broker.put(named: name, fields)
        } catch {
            throw Problem(error)
        }
        var answer = ByteBuffer(string: #"{"status":"\#(isNew ? "created" : "updated")","topic":"#)
        answer.writeBytes(topic.template.topicJSON)
        let inspection = topic.inspect(now: ServerClock.now.steady)
        answer.writeString(#","settings":\#(settingsJSON(inspection)),"epoch":"\#(topic.epoch)"}"#)
        return .json(isNew ? .created : .ok, answer)
    }

    private func check(_ wanted: Durability) throws(Problem) {
        guard wanted > broker.journal?.durability ?? .memory else { return }
        throw Problem(.badRequest, "'durability' cannot be \(wanted.rawValue): the server was started without --data")
    }

    func inspectTopic(_ context: ApusRequestContext) async throws -> Response {
        let name = try topicName(context)
        guard context.access.rights.hasAnyRight(onTopic: name) else { throw Forbidden(.all).problem }
        guard let topic = try await topic(named: name) else { throw unknown(name) }
        let inspection = topic.inspect(now: ServerClock.now.steady)
        var body = ByteBuffer(string: #"{"name":"#)
        body.writeBytes(topic.template.topicJSON)
        body.writeString(#","settings":\#(settingsJSON(inspection)),"epoch":"\#(topic.epoch)""#)
        body.writeString(#","first":\#(inspection.first),"last":\#(inspection.last),"bytes":\#(inspection.bytes)"#)
        body.writeString(#","messages":\#(topic.publishedCount),"rates":{"messages_per_second":"#)
        body.writeString(#"\#(rounded(inspection.messageRate)),"bytes_per_second":\#(rounded(inspection.byteRate))}"#)
        let others = cluster?.others
        body.writeString(#","subscribers":\#(inspection.subscribers + (others?[name] ?? 0))\#(asOf(others))"#)
        if inspection.durability > .memory, let holding = broker.journal?.holding(of: topic) {
            let first = holding.first.map { "\($0)" } ?? "null"
            body.writeString(#","disk":{"bytes":\#(holding.bytes),"first":\#(first)}"#)
        }
        body.writeString("}")
        return .json(.ok, body)
    }

    /// Rounds to one decimal place.
    private func rounded(_ rate: Double) -> Double { (rate * 10).rounded() / 10 }

    /// The settings that apply to a topic: its own, or the server's where it has none.
    private func settingsJSON(_ inspection: Topic.Inspection) -> String {
        let own = inspection.settings
        func time(_ value: Int64?) -> String { value.map { #""\#(DurationText.shortest($0))""# } ?? "null" }
        let subscription = settings.delivery.subscription
        return #"{"history":\#(own.history ?? settings.topics.history),"history_age":\#(time(own.historyAge))"#
            + #","history_bytes":\#(own.historyBytes.map(String.init) ?? "null")"#
            + #","queue":\#(own.queue ?? subscription.queue)"#
            + #","overflow":"\#((own.overflow ?? subscription.overflow).rawValue)""#
            + #","dedupe_window":\#(time(own.dedupeWindow)),"ttl":\#(time(own.ttl))"#
            + #","topic_rate":\#(inspection.rateLimit?.rate.json ?? "null")"#
            + #","topic_burst":\#(inspection.rateLimit.map { "\($0.burst)" } ?? "null")"#
            + #","durability":"\#(inspection.durability.rawValue)"}"#
    }

    func deleteTopic(_ request: Request, _ context: ApusRequestContext) async throws -> Response {
        try refuseWhileDraining()
        let name = try topicName(context, for: .manage)
        if request.awaitsContinue, try await topic(named: name) == nil { throw unknown(name) }
        // The body is ignored, but an incomplete request must not delete the topic.
        _ = try await collectAsSent(request, context, upTo: Self.maxBody)
        do throws(BrokerError) {
            try await broker.delete(named: name)
        } catch {
            throw Problem(error)
        }
        return topicStatus(.ok, "deleted", name)
    }

    /// Empties a topic's history.
    func purgeTopic(_ request: Request, _ context: ApusRequestContext) async throws -> Response {
        try refuseWhileDraining()
        let name = try topicName(context, for: .manage)
        if request.awaitsContinue, try await topic(named: name) == nil { throw unknown(name) }
        _ = try await collectAsSent(request, context, upTo: Self.maxBody)
        let purged: UInt64
        do throws(BrokerError) {
            purged = try await broker.purgeTopic(named: name, now: ServerClock.now.steady)
        } catch {
            throw Problem(error)
        }
        let by = context.access.principal?.id ?? context.inFlight.address
        logger.info("topic purged", metadata: ["topic": "\(name)", "messages": "\(purged)", "by": "\(by)"])
        let body = JSONWriter.object { writer in
            writer.member("status", "purged")
            writer.member("topic", name)
            writer.member("purged", purged)
        }
        return .json(.ok, ByteBuffer(string: body))
    }

    private func topicStatus(_ status: HTTPResponse.Status, _ text: String, _ name: String) -> Response {
        var body = ByteBuffer(string: #"{"status":"\#(text)","topic":"#)
        appendJSONString(name, to: &body)
        body.writeString("}")
        return .json(status, body)
    }
}
