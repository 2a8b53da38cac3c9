import ApusClient
import ApusProtocol
import ArgumentParser

/// `apus trace`: where a message went.
struct TraceCommand: ServerCommand {
    static let title = "apus trace"
    static let configuration = CommandConfiguration(
        commandName: "trace",
        abstract: "Find a message by its id, and tell where it went.",
        discussion: """
            For each subscription of the message's topic: whether the message was given to its socket (delivered), waits for \
            it (pending), was dropped and why, was superseded or filtered out, was published before the subscription began \
            (later), or is too long ago for it (unknown). It is found as long as the topic's history has it. The exit code \
            is 1 if there is no such message.

            Examples:
              apus trace 6f1c0d3e-6d3a-4b0e-9f57-0a5f6f7f2d11
              apus trace 6f1c0d3e-6d3a-4b0e-9f57-0a5f6f7f2d11 --topic orders --json
            """
    )

    @Argument(help: "The message's id.")
    var id: String

    @Option(help: ArgumentHelp("Look in this topic only.", valueName: "topic"), completion: Completion.topics)
    var topic: String?

    @Option(help: ArgumentHelp("List at most so many subscriptions.", valueName: "n"))
    var limit: Int?

    @Flag(help: "Print the server's answer as JSON.")
    var json = false

    @OptionGroup(title: "Connection")
    var connection: ConnectionOptions

    func validate() throws {
        if id.isEmpty { throw ValidationError("the id is empty") }
        if let limit, limit < 1 { throw ValidationError("--limit must be at least 1") }
    }

    func execute() async throws {
        let client = ConsoleClient(try connection.restClient())
        var path = "/trace?id=\(RESTClient.percentEncoded(id))"
        if let topic { path += "&topic=\(RESTClient.percentEncoded(topic))" }
        if let limit { path += "&limit=\(limit)" }
        let text: String
        do {
            text = try await client.text(path, lackedAs: "trace of messages")
        } catch let error as ClientError {
            throw CommandFailure(error, topic: topic, hints: false)
        }
        let trace = try ConsoleClient.decode(ConsoleTrace.self, text)
        if json { try await StandardOutput.write(text.trimmedEnd + "\n") }
        guard trace.found else {
            let place = topic.map { "topic '\(Terminal.printable($0))' has" } ?? "the topics that you may see have"
            guard trace.complete ?? true else {
                throw CommandFailure(
                    "no message '\(Terminal.printable(id))' was found, but not all could be searched; name its topic with --topic"
                )
            }
            throw CommandFailure("\(place) no message '\(Terminal.printable(id))' in their history any more")
        }
        if !json { try await StandardOutput.write(TraceText.text(trace, id: id)) }
    }
}

/// Formats a trace for people.
enum TraceText {
    static func text(_ trace: ConsoleTrace, id: String) -> String {
        var lines = ["message  \(Terminal.printable(id))"]
        let offset = trace.offset.map { ", offset \($0)" } ?? ""
        let key = trace.key.map { ", key \(Terminal.printable($0))" } ?? ""
        lines.append("topic    \(Terminal.printable(trace.topic ?? "?"))\(offset)\(key)")
        let stored = trace.stored.map { ", stored in \(Terminal.printable($0))" } ?? ""
        let bytes = trace.bytes.map { ", \(Figures.bytes($0))" } ?? ""
        lines.append("at       \(Terminal.printable(trace.at ?? "?"))\(bytes)\(stored)")
        let subscribers = trace.subscribers ?? []
        let summary = summary(
            of: trace.outcomes ?? Dictionary(grouping: subscribers) { $0.outcome ?? "?" }.mapValues(\.count)
        )
        lines.append("to       \(summary.isEmpty ? "no subscriber" : summary)")
        var text = lines.map { $0 + "\n" }.joined()
        if !subscribers.isEmpty { text += "\n" + table(subscribers) }
        if let gone = trace.gone, !gone.isEmpty { text += "\nsubscribers that are gone\n" + table(gone) }
        for other in trace.others ?? [] {
            let offset = other.offset.map { " at offset \($0)" } ?? ""
            text += "also in  \(Terminal.printable(other.topic))\(offset), \(Terminal.printable(other.at ?? "?"))\n"
        }
        return text
    }

    /// `2 delivered, 1 dropped`
    private static func summary(of outcomes: [String: Int]) -> String {
        let order = ["delivered", "pending", "dropped", "filtered", "later", "unknown"]
        let names = order + outcomes.keys.filter { !order.contains($0) }.sorted()
        return names.compactMap { name in
            outcomes[name].flatMap { $0 > 0 ? "\($0) \(Terminal.printable(name))" : nil }
        }.joined(separator: ", ")
    }

    private static func table(_ subscribers: [ConsoleTrace.Subscriber]) -> String {
        var table = TextTable(["OUTCOME", "CLIENT", "CONNECTION", "ADDRESS", "TRANSPORT", "AT", "WHY"], numbers: [2])
        for subscriber in subscribers {
            table.add(
                [
                    subscriber.outcome ?? "?", subscriber.clientId ?? "-",
                    subscriber.connection.map(String.init) ?? "-", subscriber.address ?? "-",
                    subscriber.transport ?? "-", subscriber.at ?? "-", why(subscriber),
                ].map(Terminal.printable)
            )
        }
        return table.text
    }

    private static func why(_ subscriber: ConsoleTrace.Subscriber) -> String {
        if let reason = subscriber.reason { return reason.split(separator: "_").joined(separator: " ") }
        return subscriber.ahead.map { $0 == 0 ? "the next one" : "\(counted($0, "message")) before it" } ?? ""
    }
}
