import ApusProtocol
import ApusSockets
import ApusTLS
import ArgumentParser

/// The program `apus`: the server, its clients and its tools.
@main
struct Apus: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apus",
        abstract: "Publish and subscribe in real time, over WebSocket and REST.",
        discussion: """
            Start a server, then talk to it from other terminals:

              apus serve
              apus topics create orders
              apus sub orders
              apus pub orders '{"id": 1}'

            Client commands find the server through --url or APUS_URL (default http://127.0.0.1:8080), which may name \
            a Unix socket (unix:/run/apus.sock); a key goes in --api-key or APUS_API_KEY.

            Durations are written 500ms, 25s, 1.5h or 7d; a number without a unit is seconds.

            A server that one often talks to gets a name: apus context add prod --url https://…

            Completion for a shell (bash, zsh or fish) is printed by `apus completions bash`, and also by

              apus --generate-completion-script bash

            Exit codes: 0 ok, 1 failure, 64 wrong usage, 69 server unreachable, 73 folder in use or not usable, 77 unauthorized, \
            78 bad configuration or damaged data.
            """,
        version: apusVersion,
        subcommands: [
            ServeCommand.self,
            PubCommand.self,
            SubCommand.self,
            TailCommand.self,
            ReplayCommand.self,
            TopicsCommand.self,
            ShellCommand.self,
            TopCommand.self,
            ClusterCommand.self,
            TraceCommand.self,
            VerifyCommand.self,
            ConformanceCommand.self,
            BenchCommand.self,
            HealthcheckCommand.self,
            DoctorCommand.self,
            ConfigCommand.self,
            ContextCommand.self,
            KeysCommand.self,
            TokenCommand.self,
            DataCommand.self,
            CompletionsCommand.self,
            ManualCommand.self,
            EchoCommand.self,
        ]
    )

    /// Runs a command like the default implementation. The difference: a health check has only two exit codes, even for
    /// wrong arguments, because its callers give other exit codes their own meanings.
    static func main() async {
        // A log must not be written to a socket that has the number of a closed standard error.
        OpenFiles.fillStandardStreams()
        OpenSSLLibrary.staysUntilTheEnd()
        do {
            var command = try await asyncParseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            let words = Array(CommandLine.arguments.dropFirst())
            let code = exitCode(for: error)
            let isHealthcheck = words.first == HealthcheckCommand.configuration.commandName
            var message = fullMessage(for: error)
            guard code != .success, isHealthcheck || code == .validationFailure && !message.isEmpty else {
                exit(withError: error)
            }
            if let meant = Suggestion.command(for: words) {
                message = Suggestion.added(meant, to: message)
            } else if let hint = UsageHint.text(for: words) {
                message += "\n" + hint
            }
            if !message.isEmpty { StandardError.write(message + "\n") }
            exit(withError: isHealthcheck ? ExitCode.failure : code)
        }
    }
}
