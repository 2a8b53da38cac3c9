import ApusAccess
import ApusProtocol
import HTTPTypes
import Hummingbird
import NIOCore

// The server's own address, the files of the console, and the figures that it shows.

extension Routes {
    /// The console for browsers, and for all others what there is.
    func service(_ request: Request) -> Response {
        guard settings.console, AcceptedTypes(request.headers[values: .accept]).prefersPage else {
            var response = Response.json(.ok, ByteBuffer(string: serviceJSON))
            response.headers[.vary] = "Accept"
            response.headers[.cacheControl] = "no-cache"
            return response
        }
        return documents.console.page.response(to: request)
    }

    private var serviceJSON: String {
        let base = settings.basePath
        let console = settings.console ? [("console", "/")] : []
        let links = (console + Self.links).map { name, path in "\(jsonString(name)):\(jsonString(base + path))" }
        return #"{"service":"apus","version":\#(jsonString(apusVersion)),"links":{\#(links.joined(separator: ","))}}"#
    }

    private static let links = [
        ("docs", "/docs"), ("openapi", "/openapi.json"), ("asyncapi", "/asyncapi.json"), ("client", "/apus.js"),
        ("websocket", "/ws"), ("topics", "/topics"), ("events", "/events"), ("subscribers", "/subscribers"),
        ("stats", "/stats"), ("health", "/health"), ("metrics", "/metrics"),
    ]

    func consoleFile(_ request: Request, _ context: ApusRequestContext) throws -> Response {
        guard settings.console, let name = context.match?.name, let file = documents.console.file(named: String(name))
        else { throw Problem(.notFound, "There is nothing at \(request.uri.path)") }
        return file.response(to: request)
    }

    // MARK: Figures

    func followConsole(_ request: Request, _ context: ApusRequestContext) throws -> Response {
        try refuseWhileDraining()
        let query = try ConsoleQuery(try QueryParameters(request.uri), settings.limits)
        guard query.isAllowed(for: context.access) else { throw Forbidden(.admin).problem }
        // A body written by a closure has no length, like that of the stream.
        guard request.method != .head else {
            return Response(status: .ok, headers: Self.streamHeaders, body: ResponseBody { try await $0.finish(nil) })
        }
        let limit = settings.limits.maxConsoles
        let client = context.access.principal?.id ?? context.inFlight.address
        guard let seat = figures.seats.take(limit: limit, client: client) else {
            throw Problem.unavailable("There are as many consoles as allowed (max_consoles), in all or of one client")
        }
        let body = ResponseBody { [self, access = context.access] writer in
            var stream = ConsoleStream(self, query, seat, access)
            try await stream.run(&writer)
        }
        return Response(status: .ok, headers: Self.streamHeaders, body: body)
    }

    /// The page of topics that a console shows, once.
    func consoleTopics(_ request: Request, _ context: ApusRequestContext) async throws -> Response {
        try requireSomewhere(.stats, context)
        let query = try TopicQuery(try QueryParameters(request.uri), settings.limits)
        let (table, _) = await figures.tables.table(of: broker, cluster)
        var pages = ConsoleTopicPages(query)
        var body = ByteBuffer()
        pages.page(of: table, context.access.rights).write(to: &body, table, now: ServerClock.now.steady)
        return .json(.ok, body)
    }

    /// The last 15 minutes, and the last second.
    func consoleSample(_ context: ApusRequestContext) throws -> Response {
        try requireEverywhere(.stats, context)
        let (ring, newest) = (figures.ring, figures.newest)
        var body = ByteBuffer(string: #"{"history":"#)
        ring.write(to: &body)
        body.writeStaticString(#","sample":"#)
        if let newest { write(newest, to: &body) } else { body.writeStaticString("null") }
        body.writeStaticString("}")
        return .json(.ok, body)
    }

    func consoleLog(_ request: Request, _ context: ApusRequestContext) throws -> Response {
        try requireEverywhere(.admin, context)
        let query = try QueryParameters(request.uri)
        let after = UInt64(try query.integer(.logAfter, settings.limits) ?? 0)
        let limit = try query.integer(.logLimit, settings.limits) ?? RecentLog.limit
        var body = ByteBuffer()
        Self.write(recentLog.entries(after: after, limit: limit), to: &body)
        return .json(.ok, body)
    }

    func write(_ sample: Sample, to body: inout ByteBuffer) {
        sample.write(
            to: &body,
            memoryLimit: contexts.memory.limit,
            nodes: cluster?.nodes ?? [],
            disk: figures.disk(settings.storage.data)
        )
    }

    static func write(_ entries: [RecentLog.Entry], to body: inout ByteBuffer) {
        body.writeStaticString(#"{"entries":["#)
        for (index, entry) in entries.enumerated() {
            if index > 0 { body.writeStaticString(",") }
            body.writeString(entry.json)
        }
        body.writeStaticString("]}")
    }
}
