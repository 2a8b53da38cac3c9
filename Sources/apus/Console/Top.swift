import ApusClient
import ArgumentParser
import NIOCore

/// `apus top`: what a server is doing, second by second.
struct TopCommand: ServerCommand {
    static let title = "apus top"
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract: "Watch what a server is doing: rates, topics, and subscribers that are behind.",
        discussion: """
            On a terminal it fills the screen: q leaves, s sorts, / filters, p pauses, the arrows scroll, ? helps. In a pipe \
            it prints a line of figures per interval, and with --json an object per interval with `sample`, `topics` and \
            `subscribers`. It shows what your credential may see: server-wide figures need the right `stats` on `>`.

            Examples:
              apus top
              apus top --sort subscribers --filter orders.
              apus top --count 60 > minute.txt
              apus top --json --count 1 | jq .topics.rows[].name
            """
    )

    @Option(help: ArgumentHelp("How often to look.", valueName: "time"))
    var interval = DurationArgument(.seconds(1))

    @Option(help: ArgumentHelp("End after so many times.", valueName: "n"))
    var count: Int?

    @Option(help: "How topics are sorted: \(TopQuery.Sort.allCases.map(\.rawValue).joined(separator: ", ")).")
    var sort = TopQuery.Sort.rate

    @Option(help: ArgumentHelp("Only topics with this in their name.", valueName: "text"))
    var filter: String?

    @Option(help: ArgumentHelp("How many topics --json has, at most 1,000.", valueName: "n"))
    var limit = 20

    @Flag(help: "Print JSON, one object per interval.")
    var json = false

    @OptionGroup(title: "Connection")
    var connection: ConnectionOptions

    func validate() throws {
        if let count, count < 1 { throw ValidationError("--count must be at least 1") }
        if !(1...1000).contains(limit) { throw ValidationError("--limit must be from 1 to 1000") }
        if interval.milliseconds < 100 { throw ValidationError("--interval must be at least 100ms") }
    }

    func execute() async throws {
        let source = TopSource(client: ConsoleClient(try connection.restClient()))
        let query = TopQuery(sort: sort, search: filter ?? "", limit: limit)
        let fillsScreen = Terminal.outputIsTerminal && Terminal.inputIsTerminal && !json
        let interrupts = await Interrupts.requests(ofTerminal: fillsScreen)
        if fillsScreen {
            let session = TopSession(
                source: source,
                server: "\(source.client.rest.address)",
                interval: interval.duration,
                count: count
            )
            return try await session.run(query, interrupts)
        }
        let (interval, count, json) = (interval.duration, count, json)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await Self.printLines(source, query, json: json, interval: interval, count: count) }
            group.addTask { try await StandardOutput.waitUntilClosed() }
            group.addTask {
                for await _ in interrupts { break }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    /// How many lines of figures stand below one header.
    private static let linesPerHeader = 20

    private static func printLines(
        _ source: TopSource,
        _ query: TopQuery,
        json: Bool,
        interval: Duration,
        count: Int?
    ) async throws {
        var (printed, isLost) = (0, false)
        var due = ContinuousClock.now
        while printed < count ?? .max {
            do {
                var line = ""
                if json {
                    line = try await source.json(query)
                } else {
                    if printed % linesPerHeader == 0 { line = TopText.plainHeader + "\n" }
                    line += TopText.plainLine(try await source.figures().sample)
                }
                try await StandardOutput.write(line + "\n")
                (printed, isLost) = (printed + 1, false)
            } catch let error as ClientError where printed > 0 && error.code != .unauthorized {
                // Like a lost connection of `apus sub`: said once, and tried again.
                try Task.checkCancellation()
                if !isLost { say("\(error.message); trying again") }
                isLost = true
            }
            guard printed < count ?? .max else { break }
            due = max(due + interval, ContinuousClock.now)
            try await Task.sleep(until: due, clock: .continuous)
        }
    }
}

extension TopQuery.Sort: ExpressibleByArgument {}
