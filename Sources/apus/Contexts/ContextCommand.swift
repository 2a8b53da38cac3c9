import ApusClient
import ApusProtocol
import ArgumentParser
import Foundation

/// `apus context`: names for servers, so that one need not write their addresses and credentials again and again.
struct ContextCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "context",
        abstract: "Keep servers under names, with the files of their credentials.",
        discussion: """
            Kept in $XDG_CONFIG_HOME/apus/contexts.json, or ~/.config/apus/contexts.json, which only its owner can read. Keys and \
            tokens stay in files of their own.

            A command takes what its flags say, then the context that --context names. Without --context it takes the \
            environment, then the context of APUS_CONTEXT or the one in use, then the defaults. A context that was not \
            named by the flag does not count where --url or APUS_URL names a server: its credential is for its own.

            Examples:
              apus context add prod --url https://apus.example.org --token-file ~/.apus-token --use
              apus context add test --url http://127.0.0.1:9000
              apus context list
              apus topics --context test
            """,
        subcommands: [Add.self, List.self, Use.self, Show.self, Remove.self],
        defaultSubcommand: List.self
    )

    struct List: ServerCommand {
        static let title = "apus context list"
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "List the contexts; the one in use has a star."
        )

        @Flag(help: "Print JSON.")
        var json = false

        func execute() async throws {
            let file = try ContextFile.ofUser()
            try await StandardOutput.write(json ? ContextTable.json(file) : ContextTable.text(file))
            if file.contexts.isEmpty, !json {
                StandardError.write("no contexts; add one with: apus context add NAME --url URL\n")
            }
        }
    }

    struct Use: ServerCommand {
        static let title = "apus context use"
        static let configuration = CommandConfiguration(
            commandName: "use",
            abstract: "Use a context where a command names no server.",
            discussion: """
                Examples:
                  apus context use prod
                  apus context use --none
                """
        )

        @Argument(help: "The context's name.", completion: Completion.contexts)
        var name: String?

        @Flag(help: "Use none.")
        var none = false

        @Flag(help: "Print JSON.")
        var json = false

        func validate() throws {
            if (name == nil) != none { throw ValidationError("name a context, or say --none") }
        }

        func execute() async throws {
            var file = try ContextFile.ofUser()
            if let name { _ = try file.context(name, exitCode: .failure) }
            file.current = name
            try file.save()
            let result = name.map { "using \($0)\n" } ?? "using no context\n"
            let object = "{\"current\":\(name.map(jsonString) ?? "null")}\n"
            try await StandardOutput.write(json ? object : result)
        }
    }

    struct Show: ServerCommand {
        static let title = "apus context show"
        static let configuration = CommandConfiguration(
            commandName: "show",
            abstract: "Show a context, the one in use by default; keys are shown as ***."
        )

        @Argument(help: "The context's name.", completion: Completion.contexts)
        var name: String?

        @Flag(help: "Print JSON.")
        var json = false

        func execute() async throws {
            let file = try ContextFile.ofUser()
            guard let name = name ?? ConnectionOptions.environment("APUS_CONTEXT") ?? file.current else {
                throw CommandFailure("no context is in use; name one, or choose with: apus context use NAME")
            }
            let context = try file.context(name, exitCode: .failure)
            try await StandardOutput.write(
                json ? ContextTable.json(name, context) + "\n" : ContextTable.text(name, context)
            )
        }
    }

    struct Remove: ServerCommand {
        static let title = "apus context remove"
        static let configuration = CommandConfiguration(
            commandName: "remove",
            abstract: "Forget contexts. The files that they name stay."
        )

        @Argument(help: "The contexts' names.", completion: Completion.contexts)
        var names: [String]

        @Flag(help: "Print a JSON object for each context.")
        var json = false

        func execute() async throws {
            var file = try ContextFile.ofUser()
            // All or none: a name that is mistyped must not go unnoticed.
            for name in names {
                _ = try file.context(name, exitCode: .failure)
            }
            for name in names {
                file.contexts[name] = nil
                if file.current == name { file.current = nil }
            }
            try file.save()
            let lines = names.map { name in
                json ? "{\"status\":\"removed\",\"context\":\(jsonString(name))}\n" : "removed \(name)\n"
            }
            try await StandardOutput.write(lines.joined())
        }
    }
}
