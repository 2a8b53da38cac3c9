import ApusClient
import ArgumentParser
import NIOCore

/// `apus sub`: prints the events of topics as they come.
struct SubCommand: ServerCommand {
    static let title = "apus sub"
    static let configuration = CommandConfiguration(
        commandName: "sub",
        abstract: "Subscribe to topics and print their events.",
        discussion: """
            On a terminal a line has the time (UTC), the topic and the payload. In a pipe, or with --json, it is the event \
            as the server sent it, so every line is JSON. Everything else goes to standard error. Ctrl-C ends it with \
            exit code 0.

            Examples:
              apus sub orders
              apus sub orders payments --last 10
              apus sub orders --count 1 --json
              apus sub orders | jq .message.payload
            """
    )

    @Argument(help: "The topics.")
    var topics: [String]

    @Option(help: ArgumentHelp("Print the last messages of each topic first.", valueName: "n"))
    var last = 0

    @Option(help: ArgumentHelp("The subscriber's name at the server; made up when not given.", valueName: "id"))
    var clientId: String?

    @Option(help: ArgumentHelp("End after this many events.", valueName: "n"))
    var count: Int?

    @Flag(help: "Create topics that do not exist.")
    var create = false

    @Flag(help: "Print events as the server sent them, on a terminal too.")
    var json = false

    @OptionGroup(title: "Connection")
    var connection: ConnectionOptions

    func validate() throws {
        if last < 0 { throw ValidationError("--last must not be negative") }
        if let count, count < 1 { throw ValidationError("--count must be at least 1") }
        if clientId?.isEmpty == true { throw ValidationError("--client-id must not be empty") }
    }

    func execute() async throws {
        let topics = topics.reduce(into: [String]()) { unique, topic in
            if !unique.contains(topic) { unique.append(topic) }
        }
        if create {
            let client = try connection.restClient()
            for topic in topics { try await client.createIfMissing(topic) }
        }
        let interrupts = Interrupts.requests()
        let socket = try await connection.connect()
        let printer = EventPrinter(topics: topics, isReadable: Terminal.outputIsTerminal && !json)
        let subscriber = Subscriber(
            connection: socket,
            topics: topics,
            clientID: clientId ?? "apus-\(String(UInt32.random(in: .min ... .max), radix: 16))",
            printer: printer
        )
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await subscriber.run(last: last, limit: count) }
                group.addTask { try await StandardOutput.waitUntilClosed() }
                group.addTask {
                    // Ends with the first signal.
                    for await _ in interrupts { break }
                    try Task.checkCancellation()
                    await subscriber.unsubscribe()
                }
                defer { group.cancelAll() }
                try await group.next()
            }
            await socket.close(timeout: .seconds(2))
        } catch {
            await socket.close(timeout: .seconds(1))
            throw error
        }
    }
}
