import ApusClient
import ApusProtocol
import ArgumentParser

/// `apus topics`: lists, creates and deletes topics.
struct TopicsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topics",
        abstract: "List, create and delete topics.",
        discussion: """
            Examples:
              apus topics
              apus topics list --json
              apus topics create orders payments
              apus topics delete orders
            """,
        subcommands: [List.self, Create.self, Delete.self],
        defaultSubcommand: List.self
    )

    struct List: ServerCommand {
        static let title = "apus topics"
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "List the topics and how many subscribers they have.",
            discussion: """
                Examples:
                  apus topics list
                  apus topics list --json | jq -r '.topics[].name'
                """
        )

        @Flag(help: "Print the server's answer as JSON.")
        var json = false

        @OptionGroup(title: "Connection")
        var connection: ConnectionOptions

        func execute() async throws {
            let client = try connection.restClient()
            if json {
                return try await StandardOutput.write(client.get("/topics").body.trimmedEnd + "\n")
            }
            let topics = try await client.topics()
            if topics.isEmpty { return StandardError.write("no topics; create one with: apus topics create NAME\n") }
            try await StandardOutput.write(TopicTable.lines(topics).joined(separator: "\n") + "\n")
        }
    }

    struct Create: ServerCommand {
        static let title = "apus topics create"
        static let configuration = CommandConfiguration(
            commandName: "create",
            abstract: "Create topics.",
            discussion: """
                Names that can be created are, whatever becomes of the others; the exit code is 1 if one could not.

                Examples:
                  apus topics create orders
                  apus topics create orders payments --if-missing
                """
        )

        @Argument(help: "The topics' names.")
        var names: [String]

        @Flag(help: "Accept topics that exist already.")
        var ifMissing = false

        @Flag(help: "Print a JSON object for each topic.")
        var json = false

        @OptionGroup(title: "Connection")
        var connection: ConnectionOptions

        func execute() async throws {
            let client = try connection.restClient()
            try await Self.forEach(names) { name in
                var isNew = true
                do {
                    isNew = try await client.createTopic(name)
                } catch let error as ClientError
                    where ifMissing && error.problem?.code == ErrorCode.topicExists.rawValue
                {
                    isNew = false
                }
                let status = isNew ? "created" : "exists"
                try await StandardOutput.write(TopicTable.result(status, name, json: json))
            }
        }
    }

    struct Delete: ServerCommand {
        static let title = "apus topics delete"
        static let configuration = CommandConfiguration(
            commandName: "delete",
            abstract: "Delete topics, with their messages.",
            discussion: """
                Names that can be deleted are, whatever becomes of the others; the exit code is 1 if one could not.

                Examples:
                  apus topics delete orders
                  apus topics delete orders payments
                """
        )

        @Argument(help: "The topics' names.", completion: Completion.topics)
        var names: [String]

        @Flag(help: "Print a JSON object for each topic.")
        var json = false

        @OptionGroup(title: "Connection")
        var connection: ConnectionOptions

        func execute() async throws {
            let client = try connection.restClient()
            try await Self.forEach(names) { name in
                try await client.deleteTopic(name)
                try await StandardOutput.write(TopicTable.result("deleted", name, json: json))
            }
        }
    }
}

extension ServerCommand {
    /// Calls `body` for each topic. Reports each failure and fails at the end, or fails at once if all topics would
    /// fail.
    fileprivate static func forEach(_ names: [String], _ body: (String) async throws -> Void) async throws {
        var failures = 0
        for name in names {
            do {
                try await body(name)
            } catch let error as ClientError {
                let failure = CommandFailure(error, topic: name, hints: false)
                guard error.code == .refused, error.problem?.code != nil else { throw failure }
                let namesTopic = error.problem?.code?.hasPrefix("TOPIC_") == true
                say(namesTopic ? failure.message : "'\(name)': \(failure.message)")
                failures += 1
            }
        }
        if failures > 0 { throw CommandFailure("", exitCode: .failure) }
    }
}

/// Formats topics for standard output.
enum TopicTable {
    /// The lines of a table with a header. Names are left-aligned, counts right-aligned.
    static func lines(_ topics: [TopicSummary]) -> [String] {
        let rows = [("TOPIC", "SUBSCRIBERS")] + topics.map { (Terminal.printable($0.name), "\($0.subscribers)") }
        let nameWidth = rows.map(\.0.count).max() ?? 0
        let countWidth = rows.map(\.1.count).max() ?? 0
        return rows.map { name, count in
            name + spaces(nameWidth - name.count) + "  " + spaces(countWidth - count.count) + count
        }
    }

    static func result(_ status: String, _ name: String, json: Bool) -> String {
        if json { return "{\"status\":\"\(status)\",\"topic\":\(JSONText.string(name))}\n" }
        return "\(status) \(Terminal.printable(name))\n"
    }

    private static func spaces(_ count: Int) -> String {
        String(repeating: " ", count: count)
    }
}
