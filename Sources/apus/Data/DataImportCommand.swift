import ApusJournal
import ApusProtocol
import ApusStore
import ArgumentParser
import Foundation
import NIOCore

extension DataCommand {
    struct Import: DataFolderCommand {
        static let title = "apus data import"
        static let configuration = CommandConfiguration(
            commandName: "import",
            abstract: "Make topics and their messages from lines of JSON.",
            discussion: """
                Takes what `apus data export` prints, from a file or standard input, and keeps offsets, ids, times, keys and what is \
                left of lifetimes. No server may use the folder; it is made if it is missing. A topic that is there already is refused. \
                After an interruption, the first part is in: run it again with --resume.

                Positions of clients stay valid. If more was published to a topic after the export, give it a new epoch with \
                --new-epochs: its new messages have offsets that others have had.

                Examples:
                  apus data import /srv/apus orders.ndjson
                  zcat all.ndjson.gz | apus data import /srv/apus
                """
        )

        @OptionGroup var folder: Folder

        @Argument(help: "The file; - for standard input.")
        var file = "-"

        @Flag(help: "Continue topics that are there, with what comes after what they have.")
        var resume = false

        @Flag(help: "Give the topics new epochs.")
        var newEpochs = false

        @Flag(help: "Print JSON.")
        var json = false

        func execute() async throws {
            let (path, options) = (folder.path, DataImport.Options(resumes: resume, hasNewEpochs: newEpochs))
            var lines = LineReader(limit: Self.maxLineBytes)
            if file != "-" {
                lines = try LineReader(path: file, limit: Self.maxLineBytes)
            }
            let size = file == "-" ? nil : LineReader.size(of: file)
            var (progress, bytes) = (ProgressBar("importing"), 0)
            var importing = try Self.reporting { () throws(DataFolderError) in try DataImport(path, options) }
            do {
                while let line = try await lines.next() {
                    bytes += (line.text?.utf8.count ?? 0) + 1
                    progress.show(
                        size.map { min(1, Double(bytes) / Double($0)) },
                        counted(importing.messages, "message")
                    )
                    guard let text = line.text else { throw DataImport.Failure.line(line.number, "it is not UTF-8") }
                    try importing.take(text)
                }
                try importing.finish()
            } catch {
                progress.clear()
                try stop(&importing, after: error)
            }
            progress.clear()
            let counts = "\"topics\":\(importing.topics),\"messages\":\(importing.messages)"
            try await StandardOutput.write(
                json
                    ? "{\"folder\":\(jsonString(path)),\(counts)}\n"
                    : "\(path): \(counted(importing.topics, "topic")), \(counted(importing.messages, "message"))\n"
            )
        }

        private static let maxLineBytes = 256 << 20

        private func stop(_ importing: inout DataImport, after error: any Error) throws {
            var parts: [String] = []
            var exitCode = ExitCode.failure
            switch error {
            case let error as DataImport.Failure:
                parts.append("\(error)")
                if case .folder(let error) = error { exitCode = ExitCode(error.exitCode) }
            case let error as LineReader.TooLong:
                parts.append("line \(error.number) is longer than \(Self.maxLineBytes >> 20) MiB")
            default:
                parts.append("\(error)")
            }
            try? importing.stop()
            if let (topic, last) = importing.place {
                parts.append("topic '\(Terminal.printable(topic))' is in up to offset \(last)")
            }
            parts.append("in are \(counted(importing.topics, "topic")) and \(counted(importing.messages, "message"))")
            throw CommandFailure(parts.joined(separator: "; "), exitCode: exitCode)
        }
    }
}
