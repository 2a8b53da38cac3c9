import ApusJournal
import ApusProtocol
import ApusStore
import ArgumentParser
import Foundation
import NIOCore

extension DataCommand {
    struct Export: DataFolderCommand {
        static let title = "apus data export"
        static let configuration = CommandConfiguration(
            commandName: "export",
            abstract: "Print the messages of topics as lines of JSON.",
            discussion: """
                The first line of a topic has its name, settings and epoch. Each message follows on a line, in the order of offsets, \
                with its id, payload, key and time; `expires` says when its lifetime ends. What has expired is left out. `apus data \
                import` makes the topics again. Works beside a running server.

                Examples:
                  apus data export /var/lib/apus orders > orders.ndjson
                  apus data export /var/lib/apus --all | gzip > all.ndjson.gz
                  apus data export /var/lib/apus orders --after 41 --limit 10
                """
        )

        @OptionGroup var folder: Folder

        @Argument(help: "The topics.")
        var topics: [String] = []

        @Flag(help: "All topics.")
        var all = false

        @Option(help: ArgumentHelp("Only what comes after this offset.", valueName: "offset"))
        var after: UInt64 = 0

        @Option(help: ArgumentHelp("At most so many offsets of each topic.", valueName: "count"))
        var limit: UInt64?

        func validate() throws {
            if all == !topics.isEmpty { throw ValidationError("name topics, or say --all") }
        }

        func execute() async throws {
            let path = folder.path
            var export = try Self.reporting { () throws(DataFolderError) in try DataExport(FolderView(path)) }
            let rows = try self.rows(export.topics)
            let now = Int64(Date().timeIntervalSince1970 * 1000)
            // Where the lines themselves are seen, nobody needs a bar.
            var (progress, written) = (Terminal.outputIsTerminal ? nil : ProgressBar("exporting"), 0)
            defer { progress?.clear() }
            for (index, row) in rows.enumerated() {
                var (text, cursor) = export.begin(row, after: after, limit: limit ?? .max)
                var output = ByteBuffer(string: text)
                while true {
                    let lines: ByteBuffer?
                    do throws(DataFolderError) { lines = try export.lines(&cursor, now: now) } catch {
                        try await StandardOutput.write(output)
                        throw CommandFailure(error)
                    }
                    if let lines { output.writeImmutableBuffer(lines) }
                    guard lines == nil || output.readableBytes >= Self.chunkBytes else { continue }
                    written += output.readableBytes
                    try await StandardOutput.write(output)
                    let note = "topic \(index + 1) of \(rows.count), \(Figures.bytes(Double(written)))"
                    progress?.show(rows.count > 1 ? Double(index) / Double(rows.count) : nil, note)
                    output.clear()
                    if lines == nil { break }
                }
                guard cursor.missed > 0 else { continue }
                progress?.clear()
                let missed = counted(cursor.missed, "message")
                Self.say("\(missed) of '\(Terminal.printable(row.text))' went while the topic was read")
            }
        }

        private static let chunkBytes = 256 << 10

        private func rows(_ known: [Catalog.Topic]) throws -> [Catalog.Topic] {
            if all { return known }
            let byName = Dictionary(known.map { ($0.text, $0) }) { $1 }
            return try topics.map { name in
                guard let row = byName[name] else {
                    throw CommandFailure("there is no topic '\(Terminal.printable(name))' in \(folder.path)")
                }
                return row
            }
        }
    }
}
