import ApusProtocol
import ArgumentParser
import Foundation

/// `apus man`: manual pages, made from the help of the commands.
struct ManualCommand: ServerCommand {
    static let title = "apus man"
    static let configuration = CommandConfiguration(
        commandName: "man",
        abstract: "Write the manual pages of all commands to a folder.",
        discussion: """
            One page per command, made from its help: apus.1, apus-pub.1, apus-topics-create.1 and so on. The same program \
            writes the same bytes. It prints the names of the files.

            Examples:
              apus man /usr/local/share/man/man1
              apus man . && man -l apus-tail.1
            """
    )

    @Argument(help: ArgumentHelp("The folder, which is made if it is missing.", valueName: "dir"))
    var folder: String

    @Flag(help: "Print the names as JSON.")
    var json = false

    func execute() async throws {
        let pages = Self.pages(try HelpTree.ofProgram().command, parents: [])
        do {
            let target = URL(fileURLWithPath: folder, isDirectory: true)
            try FileManager.default.createDirectory(at: target, withIntermediateDirectories: true)
            for page in pages {
                try Data(page.text.utf8).write(to: target.appendingPathComponent(page.fileName), options: .atomic)
            }
        } catch {
            throw CommandFailure(
                "cannot write to '\(folder)': \(PrivateFile.reason(of: error))",
                exitCode: .cannotCreate
            )
        }
        let names = pages.map(\.fileName)
        try await StandardOutput.write(
            json
                ? "{\"folder\":\(jsonString(folder)),\"pages\":[\(names.map(jsonString).joined(separator: ","))]}\n"
                : names.map { $0 + "\n" }.joined()
        )
    }

    /// The pages of a command and of those below it.
    static func pages(_ command: HelpTree.Command, parents: [String]) -> [ManualPage] {
        [ManualPage(command, parents: parents)]
            + command.shown.flatMap { pages($0, parents: parents + [command.commandName]) }
    }
}
