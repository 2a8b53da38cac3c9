import ApusClient
import ApusProtocol
import ArgumentParser
import Foundation

/// `apus replay`: publishes events again, from a file or from the server's history.
struct ReplayCommand: ServerCommand {
    static let title = "apus replay"
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Publish events again, from a file or a topic's history.",
        discussion: """
            The file has lines as `apus sub --json`, `apus tail --json` or `apus data export` print them; - is standard \
            input. With --topic the events come from what the server keeps of that topic, up to what is the last one now. \
            Each is published to its own topic, or to the one of --to, with its key and payload, and with a new id unless \
            --keep-ids is given: a topic with a dedupe window takes an id once.

            Events follow each other as they did at first, faster with --speed, or evenly with --rate. Ctrl-C ends it after \
            what is on its way. On a terminal a bar on standard error shows how far it is.

            Examples:
              apus sub orders --json > orders.ndjson
              apus replay orders.ndjson --to orders-test --speed 10x --create
              apus replay --topic orders --since 1h --to orders-test --speed max
              apus data export /var/lib/apus orders | apus replay - --where 'payload.amount > 100' --rate 50
            """
    )

    @Argument(help: "The file with the events, or - for standard input.", completion: .file())
    var file: String?

    @Option(
        help: ArgumentHelp("Take the events that the server keeps of this topic.", valueName: "topic"),
        completion: Completion.topics
    )
    var topic: String?

    @Option(
        help: ArgumentHelp(
            "With --topic: from a position (EPOCH:OFFSET), a time (RFC 3339) or a time ago (10m); all by default.",
            valueName: "since"
        )
    )
    var since: SinceArgument?

    @Option(help: ArgumentHelp("With --topic: only the last messages, at most 1,000.", valueName: "n"))
    var last: Int?

    @Option(help: ArgumentHelp("Publish all of them to this topic.", valueName: "topic"), completion: Completion.topics)
    var to: String?

    @Option(help: ArgumentHelp("How fast: 1x, 10x, 0.5x, or max.", valueName: "speed"))
    var speed = ReplaySpeed.times(1)

    @Option(help: ArgumentHelp("Instead: so many messages per second.", valueName: "n"))
    var rate: Double?

    @Option(help: ArgumentHelp("Wait no longer than this between two messages.", valueName: "time"))
    var maxGap: DurationArgument?

    @Option(help: ArgumentHelp("End after this many messages.", valueName: "n"))
    var limit: Int?

    @Flag(help: "Publish with the ids that the events have had.")
    var keepIds = false

    @Flag(help: "Create topics that do not exist.")
    var create = false

    @Flag(help: "Print a summary as JSON.")
    var json = false

    @OptionGroup(title: "Filter")
    var filter: EventFilterOptions

    @OptionGroup(title: "Connection")
    var connection: ConnectionOptions

    func validate() throws {
        if (file == nil) == (topic == nil) { throw ValidationError("give a file (or -), or a --topic") }
        if topic == nil, since != nil || last != nil { throw ValidationError("--since and --last go with --topic") }
        if since != nil, last != nil { throw ValidationError("--since and --last exclude each other") }
        if let last, !(1...1000).contains(last) { throw ValidationError("--last must be from 1 to 1000") }
        if topic != nil, to == nil || to == topic { throw ValidationError("--topic needs another topic with --to") }
        if let rate, !(0.001...1_000_000).contains(rate) {
            throw ValidationError("--rate must be from 0.001 to 1000000")
        }
        if rate != nil, speed != .times(1) { throw ValidationError("--speed and --rate exclude each other") }
        if let limit, limit < 1 { throw ValidationError("--limit must be at least 1") }
        if let to, SubCommand.isPattern(to) { throw ValidationError("--to needs the name of a topic, not a pattern") }
    }

    func execute() async throws {
        let settings = Replayer.Settings(target: to, filter: try filter.filter(), keepsIDs: keepIds, limit: limit)
        let source = try source()
        let pace = ReplayPace(speed: speed, rate: rate, longestGap: maxGap?.duration)
        let maker = create ? TopicMaker(client: try connection.restClient(), say: Self.say) : nil
        let interrupts = await Interrupts.requests()
        let start = ContinuousClock.now
        do {
            let (servers, options) = (try connection.addresses(), try options())
            let progress = try await ApusClient.withConnection(toAnyOf: servers, options: options) { client in
                let replayer = Replayer(client: client, settings: settings, maker: maker)
                return try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { await Self.show(replayer) }
                    defer { group.cancelAll() }
                    try await replayer.run(source, pace, interrupts)
                    return replayer.progress
                }
            }
            try await finish(progress, seconds: (ContinuousClock.now - start) / .seconds(1))
        } catch let error as ClientError {
            throw CommandFailure(endedBy: error)
        }
    }

    private func source() throws -> ReplaySource {
        if let file { return .file(try ReplayFile(path: file, fallback: to)) }
        let start = since?.start ?? last.map(ApusClient.Start.last) ?? .all
        return .history(
            ReplayHistory(client: try connection.restClient(), topic: topic ?? "", start: start, say: Self.say)
        )
    }

    private func options() throws -> ApusClient.Options {
        var options = try connection.clientOptions()
        // The replayer's window is the limit.
        options.publishQueue = Publisher.window
        options.publishQueueBytes = .max
        options.reconnect.maxAttempts = 10
        let reporter = ConnectionReporter(say: Self.say)
        options.onConnectionChange = { reporter.report($0) }
        return options
    }

    private static func show(_ replayer: Replayer) async {
        var bar = ProgressBar("replaying")
        while !Task.isCancelled {
            let progress = replayer.progress
            bar.show(progress.fraction, counted(progress.publishing.published, "message"))
            try? await Task.sleep(for: .milliseconds(200))
        }
        bar.clear()
    }

    private func finish(_ progress: Replayer.Progress, seconds: Double) async throws {
        let (published, refused) = (progress.publishing.published, progress.publishing.refused)
        if json {
            let counts = "\"published\":\(published),\"refused\":\(refused),\"filtered\":\(progress.skipped)"
            try await StandardOutput.write("{\(counts),\"seconds\":\(String(format: "%.3f", seconds))}\n")
        } else if Terminal.outputIsTerminal {
            let left = progress.skipped > 0 ? ", \(progress.skipped) left out by the filter" : ""
            let text = "published \(counted(published, "message")) in \(Figures.time(us: seconds * 1e6))\(left)\n"
            try await StandardOutput.write(text)
        }
        guard refused > 0 else { return }
        let what =
            "\(refused) of \(counted(published + refused, "message")) refused (\(progress.publishing.refusedLines))"
        throw CommandFailure("\(what): \(progress.publishing.firstReason ?? "")")
    }
}
