import ArgumentParser

/// What to do about arguments that no command takes, where the parser's message does not say it.
enum UsageHint {
    /// The line to print after the parser's message; `nil` if that says enough.
    static func text(for arguments: [String]) -> String? {
        var path = ["apus"]
        var command: any ParsableCommand.Type = Apus.self
        var rest = arguments[...]
        while let word = rest.first, let next = subcommand(named: word, of: command) {
            path.append(word)
            command = next
            rest = rest.dropFirst()
        }
        let title = path.joined(separator: " ")
        guard let word = rest.first else { return nil }
        // The arguments are those of a command that need not be named.
        if let unnamed = command.configuration.defaultSubcommand, takesAddress(unnamed),
            !rest.contains(where: { subcommand(named: $0, of: command) != nil })
        {
            command = unnamed
        }
        guard !command.configuration.subcommands.isEmpty else {
            guard rest.contains("--url"), takesAddress(command) else { return nil }
            return "The address of the server is an argument here: \(title) URL"
        }
        if word.hasPrefix("-") {
            guard let name = rest.first(where: { subcommand(named: $0, of: command) != nil }) else { return nil }
            return "Options go after the command: \(title) \(name) … \(Terminal.printable(word)) …"
        }
        let shown = command.configuration.subcommands.map { $0.configuration }.filter { $0.shouldDisplay }
        let names = shown.compactMap { $0.commandName }.joined(separator: ", ")
        return "There is no '\(title) \(Terminal.printable(word))'; there are: \(names)"
    }

    private static func subcommand(
        named name: String,
        of command: any ParsableCommand.Type
    ) -> (any ParsableCommand.Type)? {
        command.configuration.subcommands.first { $0.configuration.commandName == name }
    }

    /// Whether a command takes the server's address as its argument in place of `--url`.
    private static func takesAddress(_ command: any ParsableCommand.Type) -> Bool {
        command == VerifyCommand.self || command == BenchCommand.self || command == ConformanceServerCommand.self
    }
}
