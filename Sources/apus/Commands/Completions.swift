import ApusClient
import ArgumentParser
import NIOCore

/// `apus completions`: the script that has a shell complete the words of this program.
struct CompletionsCommand: ServerCommand {
    static let title = "apus completions"
    static let configuration = CommandConfiguration(
        commandName: "completions",
        abstract: "Print the completion script of a shell.",
        discussion: """
            It completes commands and options, and asks the server for the names of topics and the file of contexts for \
            theirs.

            Examples:
              apus completions bash > ~/.local/share/bash-completion/completions/apus
              apus completions zsh > ~/.zfunc/_apus
              apus completions fish > ~/.config/fish/completions/apus.fish
            """
    )

    enum Shell: String, ExpressibleByArgument, CaseIterable {
        case bash, zsh, fish
    }

    @Argument(help: "bash, zsh or fish.")
    var shell: Shell

    func execute() async throws {
        let kind: CompletionShell =
            switch shell {
            case .bash: .bash
            case .zsh: .zsh
            case .fish: .fish
            }
        try await StandardOutput.write(Apus.completionScript(for: kind).trimmedEnd + "\n")
    }
}

/// What a shell asks for while somebody types. Whatever goes wrong, there are no proposals.
enum Completion {
    /// Longer than this nobody waits for a key.
    private static let patience = TimeAmount.seconds(1)
    /// More than this nobody reads.
    private static let most = 1000

    /// The names of the server's topics.
    static let topics = CompletionKind.custom { words, _, _ in await topics(words) }

    /// The names of the contexts.
    static let contexts = CompletionKind.custom { (_: [String], _: Int, _: String) in
        ((try? ContextFile.ofUserIfAny())??.contexts.keys).map { $0.sorted() } ?? []
    }

    private static func topics(_ words: [String]) async -> [String] {
        func value(of option: String) -> String? {
            words.firstIndex(of: option).flatMap { $0 + 1 < words.count ? words[$0 + 1] : nil }
        }
        do {
            let options = try ConnectionOptions.parse(
                ["--url", "--context", "--ca", "--token-file"].flatMap { name in
                    value(of: name).map { [name, $0] } ?? []
                }
            )
            let addresses = try options.addresses()
            let client = RESTClient(
                address: addresses[0],
                others: Array(addresses.dropFirst()),
                credential: try options.credential(),
                timeout: patience
            )
            // A name with white space or control characters is none that a shell can take as it is.
            let names = try await client.topics().map(\.name).filter { name in
                name.unicodeScalars.allSatisfy { $0.value > 0x20 && $0.value != 0x7F }
            }
            return Array(names.prefix(most))
        } catch {
            return []
        }
    }
}
