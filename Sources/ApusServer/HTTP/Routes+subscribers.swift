import ApusAccess
import ApusBroker
import ApusProtocol
import Hummingbird
import NIOCore

// Lists of subscribers: who they are, how far behind they are, and which slow ones are gone.

extension Routes {
    func topicSubscribers(_ request: Request, _ context: ApusRequestContext) async throws -> Response {
        let name = try topicName(context, for: .stats)
        guard let topic = broker.topic(named: name) else { throw unknown(name) }
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

    /// Those of the topics on which the rights include `stats`.
    func subscribersJSON(
        of topic: Topic?,
        _ order: Hub.ReportOrder,
        _ limit: Int,
        search: TextSearch?,
        _ rights: Rights
    ) async -> ByteBuffer {
        let isVisible: @Sendable (String) -> Bool = { rights.allows(.stats, topic: $0) }
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
        var body = ByteBuffer(string: #"{"subscribers":["#)
        for (index, report) in present.enumerated() {
            if index > 0 { body.writeString(",") }
            write(report, to: &body)
        }
        body.writeString(#"],"gone":["#)
        for (index, report) in latest.enumerated() {
            if index > 0 { body.writeString(",") }
            write(report, to: &body)
        }
        body.writeString("]}")
        return body
    }

    private func write(_ report: SubscriptionReport, to body: inout ByteBuffer) {
        body.writeString(#"{"topic":"#)
        body.writeBytes(report.topicJSON)
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
}
