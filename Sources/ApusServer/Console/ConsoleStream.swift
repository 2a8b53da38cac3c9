import ApusAccess
import ApusBroker
import ApusProtocol
import Glibc
import Hummingbird
import NIOCore

/// The stream of one open console: what its credential may see of the server, once a second.
///
/// It writes when there is a new sample and the client has taken what was written before. So a slow client gets fewer
/// samples, and nothing queues up for it.
struct ConsoleStream {
    /// A view whose making took one millisecond of a processor is not made again for so many: it costs 1 %.
    private static let share: Int64 = 100
    /// The longest time between two looks at a view, in nanoseconds.
    private static let longestPause: Int64 = 10_000_000_000

    /// How much earlier than a second after the last one a sample may come, in nanoseconds.
    private static let jitter: Int64 = 100_000_000

    let routes: Routes
    let query: ConsoleQuery
    let seat: ConsoleSeat
    var access: ClientAccess
    private var policyNumber: UInt64 = 0
    private var pages: ConsoleTopicPages
    /// The newest record that the client has; `nil` before the first event.
    private var lastLogID: UInt64?
    /// When the view may be made again, in nanoseconds of the monotonic clock.
    private var viewDue: Int64 = 0

    init(_ routes: Routes, _ query: ConsoleQuery, _ seat: ConsoleSeat, _ access: ClientAccess) {
        self.routes = routes
        self.query = query
        self.seat = seat
        self.access = access
        pages = ConsoleTopicPages(query.topics)
    }

    mutating func run(_ writer: inout any ResponseBodyWriter) async throws {
        let tables = routes.figures.tables
        if query.view == .topics { await tables.enter() }
        let result: Result<Void, any Error>
        do { result = .success(try await follow(&writer)) } catch { result = .failure(error) }
        if query.view == .topics { await tables.leave() }
        try result.get()
    }

    private mutating func follow(_ writer: inout any ResponseBodyWriter) async throws {
        var body = ByteBuffer()
        greet(&body)
        if access.allowsEverywhere(.stats) {
            body.writeEvent("history") { routes.figures.ring.write(to: &$0) }
        }
        await show(&body)
        try await writer.write(body)
        for await _ in seat.ticks {
            body.clear()
            if let reason = standing(&body) {
                body.writeEvent("expired") {
                    $0.writeString(#"{"code":"\#(reason.reason)","message":"The credential does not hold any more"}"#)
                }
                try await writer.write(body)
                return try await writer.finish(nil)
            }
            await show(&body)
            // A comment, if there is nothing to say: to write is how the server learns that the client is gone.
            if body.readableBytes == 0 { body.writeStaticString(":\n\n") }
            try await writer.write(body)
        }
        try await writer.write(end())
        try await writer.finish(nil)
    }

    private func end() -> ByteBuffer {
        let delay = routes.contexts.reconnectDelay()
        var body = ByteBuffer(string: "retry: \(delay)\n")
        body.writeEvent("end") {
            $0.writeString(#"{"reason":"\#(Disconnect.shutdown.reason)","reconnect_after_ms":\#(delay)}"#)
        }
        return body
    }

    // MARK: The credential

    /// Looks at the credential again; returns why the stream ends, or `nil`. Tells the client when its rights are
    /// others.
    private mutating func standing(_ body: inout ByteBuffer) -> Disconnect? {
        let control = routes.access
        let number = control.policyNumber
        if number != policyNumber {
            policyNumber = number
            switch control.reconsider(access.principal) {
            case .open: change(to: .unlimited, &body)
            case .admitted(let client): change(to: client, &body)
            case .anonymous: return .unauthorized
            case .refused: return .revoked
            }
        }
        if case .ended(let reason) = control.standing(of: access) { return reason }
        if let remaining = control.remaining(access), remaining <= 0 { return .tokenExpired }
        return query.isAllowed(for: access) ? nil : .forbidden
    }

    private mutating func change(to client: ClientAccess, _ body: inout ByteBuffer) {
        guard client != access else { return }
        let hadOthers = client.rights != access.rights
        access = client
        if hadOthers { greet(&body) }
    }

    // MARK: Events

    private func greet(_ body: inout ByteBuffer) {
        let (settings, limit) = (routes.settings, routes.contexts.memory.limit)
        let client = access
        body.writeEvent("hello") { body in
            body.writeString(#"{"version":\#(jsonString(apusVersion))"#)
            body.writeString(#","started":"\#(Timestamp(milliseconds: routes.figures.started))""#)
            body.writeString(#","server_time":"\#(Timestamp.now)","interval_ms":\#(SampleRing.step)"#)
            body.writeString(#","rights":{"server":\#(client.allowsEverywhere(.stats))"#)
            body.writeString(#","admin":\#(client.allowsEverywhere(.admin))}"#)
            if client.allowsEverywhere(.stats) {
                body.writeString(#","limits":{"memory_bytes":\#(limit > 0 ? "\(limit)" : "null")"#)
                body.writeString(#","connections":\#(settings.limits.maxConnections)"#)
                body.writeString(#","topics":\#(settings.limits.maxTopics)"#)
                body.writeString(#","consoles":\#(settings.limits.maxConsoles)}"#)
            }
            body.writeString(#","data":\#(routes.broker.journal != nil)}"#)
        }
    }

    private mutating func show(_ body: inout ByteBuffer) async {
        if access.allowsEverywhere(.stats), let sample = routes.figures.newest {
            body.writeEvent("sample") { routes.write(sample, to: &$0) }
        }
        let now = LoopContext.monotonicNow() * 1_000_000
        guard now >= viewDue else { return }
        let cost: Int64
        switch query.view {
        case .none: cost = 0
        case .topics: cost = await showTopics(&body)
        case .subscribers: cost = await showSubscribers(&body)
        case .log: cost = showLog(&body)
        }
        viewDue = now + min(cost * Self.share, Self.longestPause) - Self.jitter
    }

    /// - Returns: the processor time that it took, in nanoseconds.
    private mutating func showTopics(_ body: inout ByteBuffer) async -> Int64 {
        let (table, cost) = await routes.figures.tables.table(of: routes.broker, routes.cluster)
        let start = ProcessorTime.ofThread
        let page = pages.page(of: table, access.rights)
        body.writeEvent("topics") { page.write(to: &$0, table, now: ServerClock.now.steady) }
        return cost + ProcessorTime.ofThread - start
    }

    private func showSubscribers(_ body: inout ByteBuffer) async -> Int64 {
        let topic = query.topic.flatMap { routes.broker.topic(named: $0) }
        let start = ProcessorTime.read(CLOCK_MONOTONIC)
        let (limit, search) = (query.topics.limit, query.topics.search)
        // Of a topic that is not there, there are none.
        let list =
            query.topic != nil && topic == nil
            ? ByteBuffer(string: #"{"subscribers":[],"gone":[]}"#)
            : await routes.subscribersJSON(of: topic, query.order, limit, search: search, access.rights)
        body.writeEvent("subscribers") { $0.writeImmutableBuffer(list) }
        // The time on all loops is not known; it is no more than this.
        return ProcessorTime.read(CLOCK_MONOTONIC) - start
    }

    private mutating func showLog(_ body: inout ByteBuffer) -> Int64 {
        let entries = routes.recentLog.entries(after: lastLogID ?? 0)
        // The first event comes even if there is nothing, so that the client knows.
        guard !entries.isEmpty || lastLogID == nil else { return 0 }
        lastLogID = entries.last?.id ?? 0
        body.writeEvent("log") { Routes.write(entries, to: &$0) }
        return 0
    }
}

extension ByteBuffer {
    /// Writes an event of an event stream. Its data must be on one line.
    fileprivate mutating func writeEvent(_ name: String, _ data: (inout ByteBuffer) -> Void) {
        writeString("event: \(name)\ndata: ")
        data(&self)
        writeStaticString("\n\n")
    }
}
