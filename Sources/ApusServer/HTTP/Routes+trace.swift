import ApusAccess
import ApusBroker
import ApusProtocol
import Hummingbird
import NIOConcurrencyHelpers
import NIOCore

// Where a message went: who got it, who will, who did not and why.

extension Routes {
    private struct Match {
        let topic: Topic
        let message: TracedMessage
    }

    func traceMessage(_ request: Request, _ context: ApusRequestContext) async throws -> Response {
        let query = try QueryParameters(request.uri)
        guard let id = try query.text(.tracedID, settings.limits) else {
            throw Problem(.badRequest, "'id' is required: the id of a message")
        }
        let limit = try query.integer(.traceLimit, settings.limits) ?? 100
        let topics = try await tracedTopics(query, context)
        try refuseWhileFull()
        // A search looks at all that is in memory, so there is one at a time.
        let isFirst = isTracing.withLockedValue { isTracing in
            defer { isTracing = true }
            return !isTracing
        }
        guard isFirst else { throw Problem.unavailable("Another trace is under way; try again") }
        defer { isTracing.withLockedValue { $0 = false } }
        var search = MessageSearch(id: id)
        var matches: [Match] = []
        for topic in topics {
            matches += search.find(in: topic).map { Match(topic: topic, message: $0) }
            matches = Self.newest(of: matches)
            // A search of much takes a while, and others have their turn.
            await Task.yield()
        }
        // What is on the disk only takes long to read, so the client has to name the topic.
        if query["topic"] != nil, matches.isEmpty, let topic = topics.first {
            let archived = await search.findArchived(in: topic, now: ServerClock.now.steady)
            matches = archived.map { Match(topic: topic, message: $0) }
        }
        guard let newest = matches.first else {
            let body = JSONWriter.object { writer in
                writer.member("found", false)
                writer.member("complete", search.isComplete)
                writer.member("topics", topics.count)
            }
            return .json(.ok, ByteBuffer(string: body))
        }
        let report = await trace(newest, limit: limit)
        let body = JSONWriter.object { writer in
            writer.member("found", true)
            writer.member("complete", search.isComplete)
            Self.write(newest, to: &writer)
            // `stats` is about who gets messages, and not about what is in them.
            if context.access.rights.allows(.history, topic: newest.topic.name) {
                if let key = newest.message.key { writer.member("key", json: String(decoding: key, as: UTF8.self)) }
                writer.member("bytes", newest.message.bytes)
            }
            writer.member("stored", newest.topic.durability.rawValue)
            writer.object("outcomes") { writer in
                writer.member("delivered", report.counts["delivered"] ?? 0)
                writer.member("pending", report.counts["pending"] ?? 0)
                writer.member("dropped", report.counts["dropped"] ?? 0)
                writer.member("filtered", report.counts["filtered"] ?? 0)
                writer.member("later", report.counts["later"] ?? 0)
                writer.member("unknown", report.counts["unknown"] ?? 0)
            }
            writer.array("subscribers", of: report.rows) { Self.write($1, to: &$0) }
            writer.array("gone", of: report.gone) { Self.write($1, to: &$0) }
            let others = Array(matches.dropFirst())
            if !others.isEmpty { writer.array("others", of: others) { Self.write($1, to: &$0) } }
        }
        return .json(.ok, ByteBuffer(string: body))
    }

    private static func newest(of matches: [Match]) -> [Match] {
        guard matches.count > 1 else { return matches }
        let sorted = matches.sorted {
            ($0.message.time, $0.message.offset) > ($1.message.time, $1.message.offset)
        }
        return Array(sorted.prefix(MessageSearch.maxFound))
    }

    /// The topics to search: those that the client may see, or the one that it names.
    private func tracedTopics(_ query: QueryParameters, _ context: ApusRequestContext) async throws -> [Topic] {
        guard let name = query["topic"] else {
            try requireSomewhere(.stats, context)
            return broker.topics.filter { context.access.rights.allows(.stats, topic: $0.name) }
        }
        try require(.stats, on: name, context)
        guard let topic = try await topic(named: name) else { throw unknown(name) }
        return [topic]
    }

    private func trace(_ match: Match, limit: Int) async -> TraceReport {
        let (topic, message) = (match.topic, match.message)
        let reports = await contexts.collect { $0.hub.trace(message, of: topic, limit: limit) }
        var report = await pubSub.trace(message, of: topic, limit: limit)
        for other in reports { report.add(other, limit: limit) }
        return report
    }

    private static func write(_ match: Match, to writer: inout JSONWriter) {
        writer.member("topic", match.topic.name)
        writer.member("offset", match.message.offset)
        writer.member("at", "\(Timestamp(milliseconds: match.message.time))")
    }

    private static func write(_ row: TraceReport.Row, to writer: inout JSONWriter) {
        writer.member("connection", row.peer.connection)
        writer.member("client_id", row.clientID)
        writer.member("address", row.peer.address)
        writer.member("transport", row.peer.transport)
        if let pattern = row.pattern { writer.member("pattern", pattern) }
        writer.member("since", "\(Timestamp(milliseconds: row.since))")
        writer.member("outcome", row.outcome.name)
        switch row.outcome {
        case .delivered, .later, .unknown: break
        case .pending(let ahead): writer.member("ahead", ahead)
        case .dropped(let reason, let time):
            writer.member("reason", reason)
            writer.member("at", "\(Timestamp(milliseconds: time))")
        case .filtered(let reason, let time):
            writer.member("reason", reason)
            if let time { writer.member("at", "\(Timestamp(milliseconds: time))") }
        }
    }
}
