import ApusClient
import ArgumentParser
import Foundation
import NIOCore

/// `apus pub`: publishes one message, or one for each line of standard input.
struct PubCommand: ServerCommand {
    static let title = "apus pub"
    static let configuration = CommandConfiguration(
        commandName: "pub",
        abstract: "Publish messages to a topic.",
        discussion: """
            The payload is JSON if it is JSON, and a JSON string otherwise. With - it is read from standard input, one \
            message a line; blank lines are skipped, and many messages are on their way at once.

            Examples:
              apus pub orders '{"id": 1, "total": 9.5}'
              apus pub greetings hello
              apus pub numbers -- -5
              seq 1000 | apus pub --create numbers -
              tail -f app.log | apus pub --string logs -
            """
    )

    @Argument(help: "The topic.")
    var topic: String

    @Argument(help: "The payload, or - for one message per line of standard input.")
    var payload: String

    @Flag(help: "Take the payload as a string even if it is JSON.")
    var string = false

    @Flag(help: "Refuse a payload that is not JSON.")
    var rawJson = false

    @Option(help: ArgumentHelp("The message's id, a UUID; made up when not given.", valueName: "uuid"))
    var id: String?

    @Flag(help: "Create the topic first if it does not exist.")
    var create = false

    @Flag(help: "Print a summary as JSON.")
    var json = false

    @OptionGroup(title: "Connection")
    var connection: ConnectionOptions

    private var readsInput: Bool { payload == "-" }

    func validate() throws {
        if string && rawJson { throw ValidationError("--string and --raw-json exclude each other") }
        guard let id else { return }
        if readsInput { throw ValidationError("--id is for a single message, not for standard input") }
        // The contract takes UUIDs with dashes and without.
        let isUndashed = id.count == 32 && id.allSatisfy(\.isHexDigit)
        if UUID(uuidString: id) == nil && !isUndashed { throw ValidationError("--id: '\(id)' is not a UUID") }
    }

    func execute() async throws {
        let rule: PayloadRule = string ? .string : rawJson ? .json : .automatic
        if !readsInput, rule.payload(for: payload) == nil {
            throw CommandFailure("the payload is not JSON", exitCode: .usage)
        }
        if create { try await connection.restClient().createIfMissing(topic) }
        let socket = try await connection.connect()
        let publisher = Publisher(connection: socket, topic: topic, rule: rule)
        do {
            let summary = try await publisher.publish(source)
            await socket.close()
            try await finish(summary)
        } catch {
            await socket.close(timeout: .seconds(1))
            throw error
        }
    }

    private var source: Publisher.Source {
        readsInput ? .lines(LineReader(limit: Publisher.maxLineBytes)) : .single(payload, id: id)
    }

    private func finish(_ summary: PublishProgress.Summary) async throws {
        if json {
            let counts = "\"published\":\(summary.published),\"refused\":\(summary.refused)"
            try await StandardOutput.write("{\"topic\":\(JSONText.string(topic)),\(counts)}\n")
        } else if Terminal.outputIsTerminal, summary.published > 0 {
            try await StandardOutput.write("published \(counted(summary.published, "message")) to \(topic)\n")
        }
        guard summary.refused > 0 else { return }
        if !readsInput { throw CommandFailure(summary.firstReason ?? "refused") }
        let total = summary.published + summary.refused
        let what = "\(summary.refused) of \(total) messages refused (\(summary.refusedLines))"
        throw CommandFailure("\(what): \(summary.firstReason ?? "")")
    }
}

extension RESTClient {
    /// Creates a topic unless it is there.
    func createIfMissing(_ topic: String) async throws {
        do {
            try await createTopic(topic)
        } catch  where error.problem?.code == "TOPIC_EXISTS" {
            return
        }
    }
}
