import ApusAccess
import ApusBroker
import ApusProtocol
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

// Messages over HTTP: publishing, and history in pages.

extension Routes {
    /// How many messages a page contains by default.
    static let defaultPage = 100

    // MARK: Publishing

    func publish(_ request: Request, _ context: ApusRequestContext, dialect: Dialect) async throws -> Response {
        try refuseWhileDraining()
        let name = try topicName(context, for: .publish)
        try refuseWhileFull()
        let query = try QueryParameters(request.uri)
        if request.awaitsContinue, try await topic(named: name) == nil { throw unknown(name, toPublish: true) }
        let body = try await collect(request, context, upTo: settings.limits.maxMessage, setBy: "max_message")
        let contentType = request.headers[.contentType]?.prefix { $0 != ";" }.trimmingBlanks.lowercased() ?? ""
        let payloads = try payloads(body, contentType: contentType)
        let isBatch = contentType == "application/x-ndjson"
        let ids = try self.ids(request, query, count: payloads.count, isBatch: isBatch)
        let key = try query.text(.key, settings.limits).map { jsonBytes($0) }
        let ttl = try query.duration(.ttl, settings.limits)
        let messages = zip(ids, payloads).map { id, payload in
            var json = ByteBuffer(string: #"{"id":"#)
            appendJSONString(id, to: &json)
            json.writeStaticString(#","payload":"#)
            json.writeImmutableBuffer(payload)
            json.writeStaticString("}")
            return HTTPPublisher.Message(json: json, id: id, keyJSON: key, ttl: ttl)
        }
        let published = try await publish(messages, to: name, context, after: request.trace)
        let receipt = published.receipt
        var answer = ByteBuffer(string: #"{"status":"published","topic":"#)
        appendJSONString(name, to: &answer)
        if isBatch {
            answer.writeString(#","count":\#(messages.count)"#)
        } else {
            answer.writeString(#","id":"# + jsonString(ids[0]))
        }
        answer.writeString(#","epoch":"\#(published.epoch)","offset":\#(receipt.offset)"#)
        answer.writeString(#","subscribers":\#(receipt.subscribers),"stored":"\#(receipt.stored.rawValue)""#)
        if receipt.isDuplicate { answer.writeStaticString(#","duplicate":true"#) }
        if receipt.count > 0, receipt.duplicates > 0 { answer.writeString(#","duplicates":\#(receipt.duplicates)"#) }
        answer.writeString("\(dialect.timeKey)\(published.time)\"}")
        return .json(receipt.isDuplicate ? .ok : .created, answer)
    }

    /// The payloads in a body. Each is a JSON value.
    private func payloads(_ body: ByteBuffer, contentType: String) throws(Problem) -> [ByteBuffer] {
        switch contentType {
        case "text/plain":
            guard let text = String(validating: body.readableBytesView, as: UTF8.self) else {
                throw Problem(.badRequest, "The body is not valid UTF-8")
            }
            return [ByteBuffer(string: jsonString(text))]
        case "application/x-ndjson":
            let lines = body.readableBytesView.split(separator: UInt8(ascii: "\n")).map { ByteBuffer(bytes: $0) }
            let payloads = lines.filter { !$0.readableBytesView.allSatisfy { $0 == 0x20 || $0 == 0x0D || $0 == 0x09 } }
            guard !payloads.isEmpty else { throw Problem(.badRequest, "The body has no line with a payload") }
            guard payloads.count <= settings.limits.maxBatch else {
                throw Problem(.badRequest, "The body must be at most \(counted(settings.limits.maxBatch, "line"))")
            }
            for (index, payload) in payloads.enumerated() { try check(payload, "Payload \(index + 1) of the body") }
            return payloads
        default:
            // curl sends JSON as a form unless the user sets a content type.
            try check(body, "The body")
            return [body]
        }
    }

    /// A payload is nested in the message, and the message in the command or event. So the payload may nest two levels
    /// less than these.
    private func check(_ payload: ByteBuffer, _ what: String) throws(Problem) {
        if let fault = payload.withUnsafeReadableBytes({ JSONDocument.fault(in: $0) }) {
            throw Problem(.badRequest, "\(what) is \(fault)")
        }
        let depth = settings.limits.maxDepth - 2
        guard payload.withUnsafeReadableBytes({ JSONDocument.isValid($0, maxDepth: max(depth, 1)) }) else {
            throw Problem(.badRequest, "\(what) is nested too deep: the most is \(depth)")
        }
    }

    /// The messages' ids: given by the client or generated. The ids of a batch are derived from the given id, so that a
    /// repeated batch is recognized.
    private func ids(
        _ request: Request,
        _ query: QueryParameters,
        count: Int,
        isBatch: Bool
    ) throws(Problem) -> [String] {
        let header = HTTPField.Name(Field.idempotencyKey.name).flatMap { request.headers[$0] }
        if let header { try Field.idempotencyKey.checkSize(of: header, settings.limits) }
        // Validate the query parameter even if the header takes precedence.
        let parameter = try query.text(.messageID, settings.limits)
        guard let id = header ?? parameter else {
            return (0..<count).map { _ in UUID().uuidString.lowercased() }
        }
        return isBatch ? (0..<count).map { "\(id):\($0)" } : [id]
    }

    // MARK: History

    func history(_ request: Request, _ context: ApusRequestContext, dialect: Dialect) async throws -> Response {
        let name = try topicName(context, for: .history)
        // A page takes as much memory as its messages do, for as long as the client does not read it.
        try refuseWhileFull()
        let query = try QueryParameters(request.uri)
        let limit = try query.integer(.pageLimit, settings.limits)
        let wait = try query.duration(.wait, settings.limits) ?? 0
        // A waiting client is a subscriber.
        if wait > 0 { try require(.subscribe, on: name, context) }
        // So it may create the topic like one.
        try await catchUp(on: name, query)
        if wait > 0, request.method != .head { try await makeTopicToRead(named: name, query) }
        let (start, isAfter) = try historyStart(query, topicName: name)
        var count = limit ?? Self.defaultPage
        if limit == nil, case .lastN(let lastN) = start {
            count = min(max(lastN, 1), Field.pageLimit.range(settings.limits).upperBound)
        }
        var page = try await page(of: name, from: start, limit: count)
        if page.entries.isEmpty, wait > 0, request.method != .head {
            try refuseWhileDraining()
            let position = ReplayStart.position(epoch: page.epoch, offset: page.next)
            try await contexts.waitForMessages(
                in: name,
                after: position,
                for: wait,
                of: context.inFlight,
                context.access
            )
            let (isRecovered, missed) = (page.isRecovered, page.missed)
            page = try await self.page(of: name, from: position, limit: count)
            page.isRecovered = page.isRecovered == false ? false : isRecovered
            page.missed = page.missed ?? missed
        }
        return .json(.ok, page.json(dialect: dialect, saysRecovered: isAfter))
    }

    /// Creates the missing topic that a request waits for, if the configuration lets a subscribe do so.
    private func makeTopicToRead(named name: String, _ query: QueryParameters) async throws {
        guard settings.topics.createOn.contains(.subscribe), broker.topic(named: name) == nil else { return }
        try refuseWhileDraining()
        try refuseWhileFull()
        // A refused request must not create a topic.
        do throws(Problem) {
            _ = try historyStart(query, topicName: name)
        } catch {
            guard error.code == .topicNotFound else { throw error }
        }
        do throws(BrokerError) { try await broker.findOrCreate(named: name) } catch { throw Problem(error) }
    }

    /// Waits until this node knows the topic, and has come to the position that a request names.
    private func catchUp(on name: String, _ query: QueryParameters) async throws {
        guard broker.isShared else { return }
        var start = try query.start()
        if let after = try query.integer(.after, settings.limits) {
            // An offset alone is one of the epoch that there is.
            let epoch = query["epoch"] ?? broker.topic(named: name)?.epoch ?? ""
            start = .position(epoch: epoch, offset: UInt64(after))
        }
        guard broker.mayBeBehind(name, start) else { return }
        do throws(BrokerError) { try await broker.catchUp(on: [name]) } catch { throw Problem(error) }
    }

    /// Where a request's page starts.
    private func historyStart(
        _ query: QueryParameters,
        topicName: String
    ) throws(Problem) -> (ReplayStart, isAfter: Bool) {
        guard let after = try query.integer(.after, settings.limits) else {
            guard query["epoch"] == nil else { throw Problem(.badRequest, "'epoch' needs 'after'") }
            return (try query.start() ?? .all, false)
        }
        guard query["since"] == nil, query["last_n"] == nil else {
            throw Problem(.badRequest, "'after' and '\(query["since"] == nil ? "last_n" : "since")' exclude each other")
        }
        if let epoch = query["epoch"] { return (.position(epoch: epoch, offset: UInt64(after)), true) }
        guard let topic = broker.topic(named: topicName) else { throw unknown(topicName) }
        // An offset without an epoch that does not exist yet belongs to an earlier epoch.
        let epoch = after <= topic.publishedCount ? topic.epoch : ""
        return (.position(epoch: epoch, offset: UInt64(after)), true)
    }

    private func page(of name: String, from start: ReplayStart, limit: Int) async throws -> HistoryPage {
        guard let topic = broker.topic(named: name) else { throw unknown(name) }
        do throws(BrokerError) {
            let now = ServerClock.now.steady
            guard let page = try await topic.fullPage(from: start, limit: limit, now: now) else {
                throw .noTopic(named: name)
            }
            return HistoryPage(page, epoch: topic.epoch)
        } catch {
            throw Problem(
                error.wireCode,
                error.code == .positionInFuture ? "'after' is beyond the topic's last offset" : error.message
            )
        }
    }

    /// The topic of that name, by what all nodes know.
    func topic(named name: String) async throws -> Topic? {
        do throws(BrokerError) { return try await broker.find(named: name) } catch { throw Problem(error) }
    }

    func unknown(_ name: String, toPublish: Bool = false) -> Problem {
        let error = BrokerError.noTopic(named: name, toPublish: toPublish)
        return Problem(error.wireCode, error.message)
    }
}

/// A page of a topic's log, as sent to the client.
private struct HistoryPage {
    let epoch: String
    let first: Offset
    let last: Offset
    let entries: [TopicPage.Entry]
    let next: Offset
    var isRecovered: Bool?
    var missed: ClosedRange<Offset>?

    init(_ page: TopicPage, epoch: String) {
        self.epoch = epoch
        (first, last, entries, next) = (page.first, page.last, page.entries, page.next)
        (isRecovered, missed) = (page.isRecovered, page.missed)
    }

    func json(dialect: Dialect, saysRecovered: Bool) -> ByteBuffer {
        var body = ByteBuffer(string: #"{"epoch":"\#(epoch)","first":\#(first),"last":\#(last),"messages":["#)
        for (index, entry) in entries.enumerated() {
            body.writeString(#"\#(index > 0 ? "," : ""){"offset":\#(entry.offset),"message":"#)
            body.writeBytes(entry.message)
            if let key = entry.key {
                body.writeStaticString(#","key":"#)
                body.writeBytes(key)
            }
            if let trace = entry.trace {
                body.writeStaticString(#","trace":"#)
                body.writeBytes(trace)
            }
            body.writeString("\(dialect.timeKey)")
            body.writeBytes(entry.time)
            body.writeStaticString("\"}")
        }
        body.writeString(#"],"next":\#(next)"#)
        if saysRecovered, isRecovered == false {
            let more = JSONWriter.moreMembers { writer in
                writer.member("recovered", false)
                if let missed { writer.member("missed", missed) }
            }
            body.writeString(more)
        }
        body.writeStaticString("}")
        return body
    }
}
