import ApusStore
import ArgumentParser
import Foundation

/// `apus data`: looks after a folder that a server keeps its topics in.
struct DataCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "data",
        abstract: "Check, repair, back up, export and import the folder of a server.",
        discussion: """
            check, stats, export and backup only read, and work beside a running server. repair and import need the folder for \
            themselves.

            Examples:
              apus data check /var/lib/apus
              apus data backup /var/lib/apus /backup/apus-monday
              apus data export /var/lib/apus orders > orders.ndjson
              apus data import /srv/other orders.ndjson

            Exit codes: 0 ok, 1 failure, 64 wrong usage, 73 the folder is in use or cannot be read or written, 78 something in it \
            is damaged, or a newer version wrote it.
            """,
        subcommands: [Check.self, Repair.self, Stats.self, Export.self, Import.self, Backup.self]
    )

    struct Folder: ParsableArguments {
        @Argument(help: ArgumentHelp("The folder, as `apus serve --data` has it.", valueName: "dir"))
        var path: String
    }
}

/// A command about a folder. What is wrong with that is one line, and the exit code of `apus serve`.
protocol DataFolderCommand: ServerCommand {}

extension DataFolderCommand {
    /// Has an error of the folder become one of the command.
    static func reporting<Value>(_ body: () throws(DataFolderError) -> Value) throws -> Value {
        do throws(DataFolderError) {
            return try body()
        } catch {
            throw CommandFailure(error)
        }
    }
}

extension CommandFailure {
    init(_ error: DataFolderError) {
        let text =
            switch error {
            // The advice for a server would be a new folder.
            case .foreign(let folder): "\(folder) holds no data of Apus; name the folder that a server has as --data"
            default: "\(error)"
            }
        self.init(text, exitCode: ExitCode(error.exitCode))
    }
}

/// How far a command about a folder is, as a bar.
final class DataProgress {
    private let what: String
    private var bar: ProgressBar

    init(_ what: String) {
        self.what = what
        bar = ProgressBar(what, patience: .seconds(1))
    }

    func show(_ done: Int, of all: Int) {
        bar.show(all > 0 ? Double(done) / Double(all) : nil, "\(done) of \(all)")
    }

    func clear() { bar.clear() }

    deinit { bar.clear() }
}
