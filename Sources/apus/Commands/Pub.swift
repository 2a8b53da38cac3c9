import ApusClient
import ApusProtocol
import ArgumentParser
import Foundation
import NIOCore

/// `apus pub`: publishes one message, or one message per line of standard input.
struct PubCommand: ServerCommand {
    static let title = "apus pub"
    static let configuration = CommandConfiguration(
        commandName: "pub",
        abstract: "Publish messages to a topic.",
        discussion: """
            The payload is JSON if it is JSON, and a JSON string otherwise. With - it is read from standard input, one \
            message a line; blank lines are skipped, and many messages are on their way at once.

            A lost connection is made again and what had no answer is published again, with the same id: a topic with a \
            dedupe window takes it once, another may take it twice. A topic that is gone then is waited for, 30 s; with \
            --create it is created again.

            Examples:
              apus pub orders '{"id": 1, "total": 9.5}'
              apus pub orders '{"id": 1}' --key order-1 --ttl 30s --outcome
              apus pub greetings hello
              apus pub numbers -- -5
              seq 1000 | apus pub --create numbers -
              tail -f app.log | apus pub --string logs -
            """
    )

    @Argument(help: "The topic.", completion: Completion.topics)
    var topic: String

    @Argument(help: "The payload, or - for one message per line of standard input.")
    var payload: String

    @Flag(help: "Take the payload as a string even if it is JSON.")
    var string = false

    @Flag(help: "Refuse a payload that is not JSON.")
    var rawJson = false

    @Option(help: ArgumentHelp("The message's id, a UUID; made up when not given.", valueName: "uuid"))
    var id: String?

    @Option(help: ArgumentHelp("What the message is about, for policy latest.", valueName: "key"))
    var key: String?

    @Option(help: ArgumentHelp("How long the message is worth delivering, such as 30s.", valueName: "time"))
    var ttl: DurationArgument?

    @Flag(help: "Print what became of each message: its position, the subscribers it was for, what holds it.")
    var outcome = false

    @Flag(help: "Create the topic if it does not exist, also after a restart of the server.")
    var create = false

    @Flag(help: "Print a summary as JSON; with --outcome, each outcome.")
    var json = false

    @OptionGroup(title: "Connection")
    var connection: ConnectionOptions

    private var readsInput: Bool { payload == "-" }

    func validate() throws {
        if string && rawJson { throw ValidationError("--string and --raw-json exclude each other") }
        if let key, !(1...256).contains(key.utf8.count) { throw ValidationError("--key must have 1 to 256 bytes") }
        guard let id else { return }
        if readsInput { throw ValidationError("--id is for a single message, not for standard input") }
        // The contract accepts UUIDs with and without dashes.
        let isUndashed = id.count == 32 && id.allSatisfy(\.isHexDigit)
        if UUID(uuidString: id) == nil && !isUndashed { throw ValidationError("--id: '\(id)' is not a UUID") }
    }

    func execute() async throws {
        let rule: PayloadRule = string ? .string : rawJson ? .json : .automatic
        if !readsInput, rule.payload(for: payload) == nil {
            throw CommandFailure("the payload is not JSON", exitCode: .usage)
        }
        let maker = create ? TopicMaker(client: try connection.restClient(), say: Self.say) : nil
        try await maker?.make(topic)
        do {
            let options = try options(maker)
            let servers = try connection.addresses()
            let progress = try await ApusClient.withConnection(toAnyOf: servers, options: options) { client in
                async let _ = maker?.run()
                return try await publisher(client, rule).publish(source)
            }
            try await finish(progress)
        } catch let error as ClientError {
            throw CommandFailure(endedBy: error)
        }
    }

    private var source: Publisher.Source {
        readsInput ? .lines(LineReader(limit: Publisher.maxLineBytes)) : .single(payload, id: id)
    }

    private func publisher(_ client: ApusClient, _ rule: PayloadRule) -> Publisher {
        var publisher = Publisher(client: client, topic: topic, rule: rule, key: key)
        publisher.timeToLive = ttl?.duration
        if outcome {
            let (topic, json) = (topic, json)
            publisher.onOutcome = { outcome in
                try await StandardOutput.write(OutcomeText.line(for: outcome, topic: topic, json: json))
            }
        }
        return publisher
    }

    private func options(_ maker: TopicMaker?) throws -> ApusClient.Options {
        var options = try connection.clientOptions()
        // The publisher's window is the limit.
        options.publishQueue = Publisher.window
        options.publishQueueBytes = .max
        // About half a minute.
        options.reconnect.maxAttempts = 10
        let topic = topic
        let reporter = ConnectionReporter(say: Self.say) { maker?.want(topic) }
        options.onConnectionChange = { reporter.report($0) }
        return options
    }

    private func finish(_ progress: PublishProgress) async throws {
        if json, !outcome {
            let counts = "\"published\":\(progress.published),\"refused\":\(progress.refused)"
            try await StandardOutput.write("{\"topic\":\(JSONText.string(topic)),\(counts)}\n")
        } else if Terminal.outputIsTerminal, !outcome, progress.published > 0 {
            try await StandardOutput.write("published \(counted(progress.published, "message")) to \(topic)\n")
        }
        guard progress.refused > 0 else { return }
        if !readsInput { throw CommandFailure(progress.firstReason ?? "refused") }
        let total = progress.published + progress.refused
        let what = "\(progress.refused) of \(counted(total, "message")) refused (\(progress.refusedLines))"
        throw CommandFailure("\(what): \(progress.firstReason ?? "")")
    }
}

/// Formats the outcome of a publish for standard output.
enum OutcomeText {
    static func line(for outcome: ApusClient.Outcome, topic: String, json: Bool) -> String {
        (json ? self.json(outcome, topic) : text(outcome)) + "\n"
    }

    /// Readable text such as `offset 17 of epoch k3v9, 3 subscribers, memory`.
    private static func text(_ outcome: ApusClient.Outcome) -> String {
        var parts: [String] = []
        if let position = outcome.position { parts.append("offset \(position.offset) of epoch \(position.epoch)") }
        if let subscribers = outcome.subscribers { parts.append(counted(subscribers, "subscriber")) }
        if let storage = outcome.storage { parts.append(storage.rawValue) }
        if outcome.isDuplicate { parts.append("duplicate") }
        return parts.isEmpty ? "published" : parts.joined(separator: ", ")
    }

    private static func json(_ outcome: ApusClient.Outcome, _ topic: String) -> String {
        var text = "{\"topic\":\(JSONText.string(topic)),\"id\":\(JSONText.string(outcome.id))"
        if let position = outcome.position {
            text += ",\"epoch\":\(JSONText.string(position.epoch)),\"offset\":\(position.offset)"
        }
        if let subscribers = outcome.subscribers { text += ",\"subscribers\":\(subscribers)" }
        if let storage = outcome.storage { text += ",\"stored\":\"\(storage.rawValue)\"" }
        return text + ",\"duplicate\":\(outcome.isDuplicate),\"ts\":\(JSONText.string(outcome.time))}"
    }
}
