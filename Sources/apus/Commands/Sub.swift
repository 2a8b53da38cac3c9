import ApusClient
import ArgumentParser

/// `apus sub`: prints the events of topics as they arrive.
struct SubCommand: ServerCommand {
    static let title = "apus sub"
    static let configuration = CommandConfiguration(
        commandName: "sub",
        abstract: "Subscribe to topics and print their events.",
        discussion: """
            On a terminal a line has the time (UTC), the topic and the payload. In a pipe, or with --json, it is the event \
            as the server sends it, so every line is JSON; with --since, --resume, --overflow, --queue or a pattern it has \
            its key and offset too. Everything else goes to standard error. Ctrl-C ends it with exit code 0.

            A lost connection is made again, and what was missed meanwhile is fetched, as far as the topic's history \
            reaches back; a pattern's events cannot be fetched. What is lost is said. A topic that is gone then, as when \
            a server in memory was restarted, is waited for, and with --create it is created again.

            Examples:
              apus sub orders
              apus sub orders payments --last 10
              apus sub orders --since 10m
              apus sub orders --wait
              apus sub orders --resume orders.position >> orders.ndjson
              apus sub --filter 'sensors.*.temperature' --overflow latest
              apus sub orders --count 1 --json
              apus sub orders | jq .message.payload
            """
    )

    @Argument(
        help: "The topics, or patterns of them: * is one part of a name between dots, > at the end all the rest.",
        completion: Completion.topics
    )
    var topics: [String] = []

    @Option(help: ArgumentHelp("Subscribe to all topics that match; may be repeated.", valueName: "pattern"))
    var filter: [String] = []

    @Option(help: ArgumentHelp("Print the last messages of each topic first.", valueName: "n"))
    var last = 0

    @Option(
        help: ArgumentHelp(
            "Print first what was published after a position (EPOCH:OFFSET), a time (RFC 3339), in a time (10m), or all.",
            valueName: "since"
        )
    )
    var since: SinceArgument?

    @Option(
        help: ArgumentHelp(
            """
            Keep the position of what was printed in this file, and go on from it when it is there: a restart loses \
            nothing and repeats nothing.
            """,
            valueName: "file"
        )
    )
    var resume: String?

    @Option(help: "What the server does when this reader is too slow; the topic's setting when not given.")
    var overflow: OverflowArgument?

    @Option(help: ArgumentHelp("By how many messages this reader may be behind at the server.", valueName: "n"))
    var queue: Int?

    @Option(help: ArgumentHelp("The subscriber's name at the server; made up when not given.", valueName: "id"))
    var clientId: String?

    @Option(help: ArgumentHelp("End after this many events.", valueName: "n"))
    var count: Int?

    @Flag(help: "Create topics that do not exist, also after a restart of the server.")
    var create = false

    @Flag(help: "Wait for topics that do not exist, or are deleted, and do not fail.")
    var wait = false

    @Flag(help: "Fail when the connection is lost.")
    var noReconnect = false

    @Flag(help: "Print events as the server sent them, on a terminal too.")
    var json = false

    @OptionGroup(title: "Connection")
    var connection: ConnectionOptions

    func validate() throws {
        if topics.isEmpty, filter.isEmpty { throw ValidationError("name a topic, or give a --filter") }
        if last < 0 { throw ValidationError("--last must not be negative") }
        if last > 0, since != nil { throw ValidationError("--last and --since exclude each other") }
        if let queue, queue < 1 { throw ValidationError("--queue must be at least 1") }
        if let count, count < 1 { throw ValidationError("--count must be at least 1") }
        if clientId?.isEmpty == true { throw ValidationError("--client-id must not be empty") }
        let hasPatterns = !filter.isEmpty || topics.contains(where: Self.isPattern)
        if hasPatterns, since != nil { throw ValidationError("--since needs names of topics, not patterns") }
        if hasPatterns, resume != nil { throw ValidationError("--resume needs names of topics, not patterns") }
        if hasPatterns, create { throw ValidationError("--create needs names of topics, not patterns") }
        if case .after = since?.start, topics.count > 1 {
            throw ValidationError("--since with a position is for one topic: each has its own positions")
        }
    }

    static func isPattern(_ topic: String) -> Bool {
        topic.contains { $0 == "*" || $0 == ">" }
    }

    func execute() async throws {
        let wanted = (topics + filter).reduce(into: [String]()) { unique, topic in
            if !unique.contains(topic) { unique.append(topic) }
        }
        let maker = create ? TopicMaker(client: try connection.restClient(), say: Self.say) : nil
        let subscriber = try SubscriptionPrinter(
            topics: wanted,
            options: subscribeOptions,
            resume: resume.map(ResumeFile.init(path:)),
            printer: EventPrinter(topics: wanted, isReadable: isReadable, form: form),
            maker: maker,
            say: Self.say
        )
        let interrupts = await Interrupts.requests()
        do {
            try await ApusClient.withConnection(toAnyOf: connection.addresses(), options: clientOptions()) { client in
                try await subscriber.follow(client, limit: count, interrupts)
            }
        } catch let error as ClientError {
            throw CommandFailure(endedBy: error)
        }
    }

    // MARK: Settings

    private var isReadable: Bool { Terminal.outputIsTerminal && !json }

    private var isExtended: Bool {
        since != nil || resume != nil || overflow != nil || queue != nil || !filter.isEmpty
            || topics.contains(where: Self.isPattern)
    }

    private var form: EventPrinter.Form {
        get throws {
            let timeKey = try connection.addresses()[0].dialect == .v1 ? "timestamp" : "ts"
            return EventPrinter.Form(timeKey: timeKey, isExtended: isExtended)
        }
    }

    private var subscribeOptions: ApusClient.SubscribeOptions {
        let start = since?.start ?? (last > 0 ? .last(last) : .live)
        var options = ApusClient.SubscribeOptions(start: start, overflow: overflow?.policy, queue: queue)
        options.buffer = SubscriptionPrinter.batch * 4
        options.waitsForTopic = wait
        return options
    }

    private func clientOptions() throws -> ApusClient.Options {
        var options = try connection.clientOptions()
        options.clientID = clientId ?? "apus-\(String(UInt32.random(in: .min ... .max), radix: 16))"
        if noReconnect { options.reconnect = .never }
        let reporter = ConnectionReporter(say: Self.say)
        options.onConnectionChange = { reporter.report($0) }
        return options
    }
}

/// An overflow policy as a command-line argument.
struct OverflowArgument: ExpressibleByArgument {
    let policy: ApusClient.OverflowPolicy

    init?(argument: String) {
        guard let policy = ApusClient.OverflowPolicy(rawValue: argument) else { return nil }
        self.policy = policy
    }

    static var allValueStrings: [String] { ApusClient.OverflowPolicy.allCases.map(\.rawValue) }
}
