import ApusProtocol
import ApusServer
import ArgumentParser

/// Shows or checks a server's configuration without running the server.
struct ConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Show or check the server's configuration.",
        discussion: """
            Both commands take the flags of `apus serve` and read the same environment and file.

              apus config print --port 9000
              apus config check --config Configurations/r1.yaml
            """,
        subcommands: [Print.self, Check.self]
    )

    struct Print: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "print",
            abstract: "Print the settings in force, and where each comes from.",
            discussion: "The output is a YAML file that --config takes, but for API keys, which are shown as ***."
        )

        @OptionGroup var options: ServerOptions

        @Flag(help: "Print JSON: an object with `settings` and `sources`.")
        var json = false

        func run() async throws {
            let loaded = try options.load()
            loaded.reportWarnings()
            try await ConfigCommand.print(json ? loaded.json : loaded.yaml)
        }
    }

    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "check",
            abstract: "Exit with 0 when the configuration is valid, with 78 and the reason when it is not.",
            discussion: """
                Reads everything that a start or a reload (SIGHUP) would read, files of keys and certificates included. Starts nothing, and \
                fetches nothing from addresses.
                """
        )

        @OptionGroup var options: ServerOptions

        @Flag(help: "Print JSON: an object with `valid`, and `reason` when it is not.")
        var json = false

        func run() async throws {
            let loaded: LoadedConfiguration
            do throws(ConfigurationError) {
                loaded = try options.read()
            } catch {
                try await refuse("\(error)")
            }
            loaded.reportWarnings()
            do throws(ConfigurationError) {
                try await loaded.configuration.checkAccess { StandardError.write("apus: warning: \($0)\n") }
                try loaded.configuration.checkTLS()
            } catch {
                try await refuse("\(error.naming(loaded.sources))")
            }
            try await ConfigCommand.print(json ? "{\"valid\":true}\n" : "configuration is valid\n")
        }

        private func refuse(_ reason: String) async throws -> Never {
            StandardError.write("apus: \(reason)\n")
            if json { try await ConfigCommand.print("{\"valid\":false,\"reason\":\(jsonString(reason))}\n") }
            throw ExitCode.badConfiguration
        }
    }

    /// Ignores a closed standard output: its reader has seen enough.
    fileprivate static func print(_ text: String) async throws {
        do {
            try await StandardOutput.write(text)
        } catch is OutputClosed {
            return
        }
    }
}

extension LoadedConfiguration {
    fileprivate func reportWarnings() {
        for warning in warnings {
            StandardError.write("apus: warning: \(warning)\n")
        }
    }
}
