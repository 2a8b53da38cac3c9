import ArgumentParser

/// What somebody who mistyped a command may have meant. The argument parser knows that of options only.
enum Suggestion {
    /// The nearest command to the first word that is none, where one was to come; `nil` if there is none near.
    static func command(for words: some Sequence<String>, in root: any ParsableCommand.Type = Apus.self) -> String? {
        var (command, path) = (root, "")
        for word in words {
            let names = command.configuration.subcommands.map(name)
            guard !names.isEmpty, !word.hasPrefix("-") else { return nil }
            if let index = names.firstIndex(of: word) {
                command = command.configuration.subcommands[index]
                path += word + " "
                continue
            }
            // The address of a server, for a command that need not be named.
            if word.contains(":") { return nil }
            let most = word.count < 4 ? 1 : 2
            let near = names.map { (name: $0, distance: distance(word, $0)) }.filter { $0.distance <= most }
            return near.min { $0.distance < $1.distance }.map { path + $0.name }
        }
        return nil
    }

    /// The message with that behind its first line, as for options.
    static func added(_ command: String, to message: String) -> String {
        let lines = message.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
        return (["\(lines[0]). Did you mean '\(command)'?"] + lines.dropFirst()).joined(separator: "\n")
    }

    private static func name(_ command: any ParsableCommand.Type) -> String {
        command.configuration.commandName ?? "\(command)".lowercased()
    }

    /// How many letters must be typed, left out, changed, or swapped with the next one.
    static func distance(_ left: String, _ right: String) -> Int {
        let (left, right) = (Array(left), Array(right))
        var (before, last) = ([Int](), Array(0...right.count))
        for (row, letter) in left.enumerated() {
            var line = [row + 1]
            for (column, other) in right.enumerated() {
                var least = min(last[column + 1] + 1, line[column] + 1, last[column] + (letter == other ? 0 : 1))
                if row > 0, column > 0, letter == right[column - 1], left[row - 1] == other {
                    least = min(least, before[column - 1] + 1)
                }
                line.append(least)
            }
            (before, last) = (last, line)
        }
        return last[right.count]
    }
}
