import ApusAccess
import ApusBroker
import ApusCluster
import ApusProtocol
import Hummingbird
import NIOCore

// Lists of subscribers: who they are, how far behind they are, and which slow ones are gone.

extension Routes {
    func topicSubscribers(_ request: Request, _ context: ApusRequestContext) async throws -> Response {
        let name = try topicName(context, for: .stats)
        guard let topic = try await topic(named: name) else { throw unknown(name) }
        return try await listing(request, context, of: topic)
    }

    func allSubscribers(_ request: Request, _ context: ApusRequestContext) async throws -> Response {
        try requireSomewhere(.stats, context)
        return try await listing(request, context, of: nil)
    }

    private func listing(
        _ request: Request,
        _ context: ApusRequestContext,
        of topic: Topic?
    ) async throws -> Response {
        let query = try QueryParameters(request.uri)
        let limit = try query.integer(.listLimit, settings.limits) ?? 100
        guard let order = Hub.ReportOrder(rawValue: query["sort"] ?? "since") else {
            let names = Hub.ReportOrder.allCases.map(\.rawValue).joined(separator: ", ")
            throw Problem(.badRequest, "'sort' must be one of \(names)")
        }
        let search = try query.text(.subscriberSearch, settings.limits).map { TextSearch($0) }
        return .json(.ok, await subscribersJSON(of: topic, order, limit, search: search, context.access.rights))
    }

    /// Those of the topics on which the rights include `stats`: of all nodes, if there are others.
    func subscribersJSON(
        of topic: Topic?,
        _ order: Hub.ReportOrder,
        _ limit: Int,
        search: TextSearch?,
        _ rights: Rights
    ) async -> ByteBuffer {
        let isVisible: @Sendable (String) -> Bool = { rights.allows(.stats, topic: $0) }
        async let asking = elsewhere(topic, order, limit, search: search, isVisible: isVisible)
        let (present, gone) = await reports(of: topic, order, limit, search: search, isVisible: isVisible)
        let others = await asking
        var (rows, goneRows) = (present.map { json($0, others?.name) }, gone.map { json($0, others?.name) })
        if let others {
            rows = Self.merge(zip(present.map(order.rank), rows) + others.present, limit)
            goneRows = Self.merge(zip(gone.map { $0.end?.time ?? 0 }, goneRows) + others.gone, limit)
        }
        var body = ByteBuffer(string: #"{"subscribers":["#)
        body.writeString(rows.joined(separator: ","))
        body.writeString(#"],"gone":["#)
        body.writeString(goneRows.joined(separator: ","))
        body.writeString("]\(others.map { #","as_of":"\#($0.asOf)""# } ?? "")}")
        return body
    }

    private static func merge(_ rows: [(rank: Int64, json: String)], _ limit: Int) -> [String] {
        rows.sorted { $0.rank > $1.rank }.prefix(limit).map(\.json)
    }

    /// The first subscribers of this node, and those that are gone.
    private func reports(
        of topic: Topic?,
        _ order: Hub.ReportOrder,
        _ limit: Int,
        search: TextSearch?,
        isVisible: @escaping @Sendable (String) -> Bool
    ) async -> (present: [SubscriptionReport], gone: [SubscriptionReport]) {
        var reports = await contexts.collect { context in
            (
                context.hub.subscriptionReports(
                    of: topic,
                    order: order,
                    limit: limit,
                    search: search,
                    isVisible: isVisible
                ),
                context.hub.goneReports(search: search, isVisible: isVisible)
            )
        }
        reports.append(
            await pubSub.subscriptionReports(
                of: topic,
                order: order,
                limit: limit,
                search: search,
                isVisible: isVisible
            )
        )
        let present = reports.flatMap(\.0).sorted(by: order.precedes).prefix(limit)
        let gone = reports.flatMap(\.1).filter { topic == nil || $0.topicJSON == topic?.template.topicJSON }
        let latest = gone.sorted { $0.end?.time ?? 0 > $1.end?.time ?? 0 }.prefix(limit)
        return (Array(present), Array(latest))
    }

    /// - Parameter node: its name, if there are several.
    private func json(_ report: SubscriptionReport, _ node: String?) -> String {
        var body = ByteBuffer()
        write(report, node, to: &body)
        return String(buffer: body)
    }

    private func write(_ report: SubscriptionReport, _ node: String?, to body: inout ByteBuffer) {
        body.writeString(#"{"topic":"#)
        body.writeBytes(report.topicJSON)
        if let node { body.writeString(#","node":\#(jsonString(node))"#) }
        body.writeString(#","client_id":\#(jsonString(report.clientID)),"connection":\#(report.peer.connection)"#)
        body.writeString(#","address":\#(jsonString(report.peer.address)),"transport":"\#(report.peer.transport)""#)
        body.writeString(
            #","since":"\#(Timestamp(milliseconds: report.since))","policy":"\#(report.overflow.rawValue)""#
        )
        body.writeString(#","queue":\#(report.queue)"#)
        if let pattern = report.pattern { body.writeString(#","pattern":\#(jsonString(pattern))"#) }
        body.writeString(#","delivered":\#(report.delivered),"dropped":\#(report.dropped)"#)
        if let loss = report.lastLoss {
            body.writeString(#","last_drop":{"at":"\#(Timestamp(milliseconds: loss.time))""#)
            body.writeString(#","reason":"\#(loss.reason.rawValue)","messages":\#(loss.count)}"#)
        }
        if let (reason, time) = report.end {
            body.writeString(#","reason":"\#(reason.code)","at":"\#(Timestamp(milliseconds: time))"}"#)
            return
        }
        let lag = report.lag
        body.writeString(#","lag":{"messages":\#(lag.messages),"bytes":\#(lag.bytes),"ms":\#(lag.milliseconds)}"#)
        body.writeString(#","throttled_ms":\#(report.throttledTime),"held_ms":\#(report.heldTime)}"#)
    }

    // MARK: Other nodes

    /// Subscribers on other nodes.
    private struct Elsewhere: Sendable {
        /// What this node is called.
        let name: String
        var present: [(rank: Int64, json: String)] = []
        var gone: [(rank: Int64, json: String)] = []
        let asOf: Timestamp
    }

    /// - Returns: `nil` if the server is no node of a cluster.
    private func elsewhere(
        _ topic: Topic?,
        _ order: Hub.ReportOrder,
        _ limit: Int,
        search: TextSearch?,
        isVisible: (String) -> Bool
    ) async -> Elsewhere? {
        guard let cluster else { return nil }
        let nodes = cluster.nodes
        let ids = nodes.filter { !$0.isSelf }.map(\.id)
        let answer = await cluster.listings.ask(
            ids,
            topic: topic?.name,
            order: order.rawValue,
            limit: limit,
            search: search?.text
        )
        let name = nodes.first(where: \.isSelf)?.state.name ?? ""
        let now = Timestamp(milliseconds: ServerClock.now.wall)
        var others = Elsewhere(name: name, asOf: answer.isComplete && !ids.isEmpty ? now : cluster.others.asOf)
        for (_, row) in answer.rows {
            // What another node has written is looked at before it becomes part of an answer.
            guard case .object(let members)? = JSONValue(row.json, maxDepth: 4),
                case .string(let name)? = members.first(where: { $0.name == "topic" })?.value, isVisible(name)
            else { continue }
            if row.isGone {
                others.gone.append((row.rank, row.json))
            } else {
                others.present.append((row.rank, row.json))
            }
        }
        return others
    }

    /// What another node of the cluster asks for. It knows what its client may see.
    func rows(for request: ListingRequest) async -> [ListingPart.Row] {
        let topic = request.topic.flatMap { broker.topic(named: $0) }
        guard let order = Hub.ReportOrder(rawValue: request.order), (request.topic == nil) == (topic == nil) else {
            return []
        }
        let name = cluster?.nodes.first(where: \.isSelf)?.state.name
        let (present, gone) = await reports(
            of: topic,
            order,
            request.limit,
            search: request.search.map { TextSearch($0) },
            isVisible: { _ in true }
        )
        return present.map { ListingPart.Row(rank: order.rank($0), isGone: false, json: json($0, name)) }
            + gone.map { ListingPart.Row(rank: $0.end?.time ?? 0, isGone: true, json: json($0, name)) }
    }
}

extension Hub.ReportOrder {
    /// What nodes compare their subscribers by: a larger one comes first.
    fileprivate func rank(_ report: SubscriptionReport) -> Int64 {
        switch self {
        case .lag: Int64(clamping: report.lag.messages)
        case .delivered: Int64(clamping: report.delivered)
        case .dropped: Int64(clamping: report.dropped)
        case .since: -report.since
        }
    }
}
