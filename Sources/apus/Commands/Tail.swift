import ApusClient
import ArgumentParser

/// `apus tail`: prints those events of topics that meet a condition.
struct TailCommand: ServerCommand {
    static let title = "apus tail"
    static let configuration = CommandConfiguration(
        commandName: "tail",
        abstract: "Follow topics and print the events that meet a condition.",
        discussion: """
            Like `apus sub`, with a filter: lost connections are made again, what was missed is fetched as far as history \
            reaches back, and what is lost is said. In a pipe, or with --json, each line is the event as JSON, with key and \
            offset.

            A condition compares payload.a.b[0], topic, key, id, offset and time with numbers, texts in quotes, true, false \
            and null, by = != < <= > >=, contains and startswith; ~ takes a glob in quotes or a /regular expression/. Conditions \
            are joined with and, or, not and brackets. A path alone asks whether the value is there, and not false or null.

            Examples:
              apus tail orders --where 'payload.amount > 100'
              apus tail 'orders.>' --where 'payload.country = "DE" and not payload.test'
              apus tail orders --since 1h --where 'payload.items[0].sku ~ "A-*" or key ~ /^vip-/i'
              apus tail orders --text refund --last 1000 --json | jq .message.payload
            """
    )

    @Argument(
        help: "The topics, or patterns of them: * is one part of a name between dots, > at the end all the rest.",
        completion: Completion.topics
    )
    var topics: [String]

    @OptionGroup(title: "Filter")
    var filter: EventFilterOptions

    @Option(help: ArgumentHelp("Look at the last messages of each topic first.", valueName: "n"))
    var last = 0

    @Option(
        help: ArgumentHelp(
            "Look first at what was published after a position (EPOCH:OFFSET), a time (RFC 3339), in a time (10m), or all.",
            valueName: "since"
        )
    )
    var since: SinceArgument?

    @Option(help: ArgumentHelp("End after this many events.", valueName: "n"))
    var count: Int?

    @Flag(help: "Wait for topics that do not exist, or are deleted, and do not fail.")
    var wait = false

    @Flag(help: "Print events as JSON, on a terminal too.")
    var json = false

    @OptionGroup(title: "Connection")
    var connection: ConnectionOptions

    func validate() throws {
        if last < 0 { throw ValidationError("--last must not be negative") }
        if last > 0, since != nil { throw ValidationError("--last and --since exclude each other") }
        if let count, count < 1 { throw ValidationError("--count must be at least 1") }
        if since != nil, topics.contains(where: SubCommand.isPattern) {
            throw ValidationError("--since needs names of topics, not patterns")
        }
        if case .after = since?.start, topics.count > 1 {
            throw ValidationError("--since with a position is for one topic: each has its own positions")
        }
    }

    func execute() async throws {
        let filter = try filter.filter()
        var wanted: [String] = []
        for topic in topics where !wanted.contains(topic) { wanted.append(topic) }
        var options = ApusClient.SubscribeOptions(start: since?.start ?? (last > 0 ? .last(last) : .live))
        options.buffer = SubscriptionPrinter.batch * 4
        options.waitsForTopic = wait
        let timeKey = try connection.addresses()[0].dialect == .v1 ? "timestamp" : "ts"
        let subscriber = SubscriptionPrinter(
            topics: wanted,
            options: options,
            printer: EventPrinter(
                topics: wanted,
                isReadable: Terminal.outputIsTerminal && !json,
                form: EventPrinter.Form(timeKey: timeKey, isExtended: true)
            ),
            filter: filter,
            say: Self.say
        )
        var clientOptions = try connection.clientOptions()
        clientOptions.clientID = "apus-tail-\(String(UInt32.random(in: .min ... .max), radix: 16))"
        let reporter = ConnectionReporter(say: Self.say)
        clientOptions.onConnectionChange = { reporter.report($0) }
        let interrupts = await Interrupts.requests()
        do {
            try await ApusClient.withConnection(toAnyOf: connection.addresses(), options: clientOptions) { client in
                try await subscriber.follow(client, limit: count, interrupts)
            }
        } catch let error as ClientError {
            throw CommandFailure(endedBy: error)
        }
    }
}
