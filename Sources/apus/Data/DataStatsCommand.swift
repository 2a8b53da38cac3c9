import ApusClient
import ApusJournal
import ApusProtocol
import ApusStore
import ArgumentParser

extension DataCommand {
    struct Stats: DataFolderCommand {
        static let title = "apus data stats"
        static let configuration = CommandConfiguration(
            commandName: "stats",
            abstract: "Show the topics in the folder, and what they take.",
            discussion: """
                Counts what is on the disk, which may be more than history asks for: whole segments go when nothing in them is wanted. \
                Works beside a running server. `wanted` is the size of the records that belong to a topic; the rest goes with its \
                segments.
                """
        )

        @OptionGroup var folder: Folder

        @Flag(help: "Print JSON: an object with `topics` and totals.")
        var json = false

        func execute() async throws {
            let path = folder.path
            let progress = DataProgress("topics")
            let stats = try Self.reporting { () throws(DataFolderError) in
                try DataStats(FolderView(path), progress: progress.show(_:of:))
            }
            progress.clear()
            try await StandardOutput.write(json ? DataStatsTable.json(stats) : DataStatsTable.text(stats))
        }
    }
}

/// Formats what is in a folder.
enum DataStatsTable {
    static func text(_ stats: DataStats) -> String {
        let rows =
            [["TOPIC", "DURABILITY", "MESSAGES", "BYTES", "OLDEST", "", "NEWEST", ""]]
            + stats.topics.map { topic in
                [
                    Terminal.printable(topic.row.text), topic.row.durability.rawValue,
                    Figures.grouped(Int(clamping: topic.messages)), Figures.grouped(topic.bytes),
                ] + cells(topic.oldest) + cells(topic.newest)
            }
        let widths = (0..<7).map { column in rows.map { $0[column].count }.max() ?? 0 }
        let lines = rows.map { row in
            row.enumerated().map { column, cell in
                guard column < widths.count else { return cell }
                let gap = String(repeating: " ", count: widths[column] - cell.count)
                return [2, 3, 4, 6].contains(column) ? gap + cell : cell + gap
            }.joined(separator: "  ").trimmedEnd + "\n"
        }
        return lines.joined()
            + "\(counted(stats.topics.count, "topic")), \(counted(stats.segments, "segment")), "
            + "\(counted(stats.fileBytes, "byte", written: Figures.grouped(stats.fileBytes))) of files, "
            + "\(Figures.grouped(stats.recordBytes)) of records, \(Figures.grouped(stats.wantedBytes)) wanted\n"
    }

    private static func cells(_ message: (offset: UInt64, time: Int64)?) -> [String] {
        message.map { ["\($0.offset)", "\(Timestamp(milliseconds: $0.time))"] } ?? ["-", ""]
    }

    static func json(_ stats: DataStats) -> String {
        JSONWriter.object { writer in
            writer.array("topics", of: stats.topics) { writer, topic in
                writer.member("topic", topic.row.text)
                writer.member("durability", topic.row.durability.rawValue)
                writer.member("messages", topic.messages)
                writer.member("bytes", topic.bytes)
                for (name, message) in [("oldest" as StaticString, topic.oldest), ("newest", topic.newest)] {
                    guard let message else { continue }
                    writer.object(name) { writer in
                        writer.member("offset", message.offset)
                        writer.member("ts", "\(Timestamp(milliseconds: message.time))")
                    }
                }
                writer.member("next", topic.next)
            }
            writer.member("segments", stats.segments)
            writer.member("file_bytes", stats.fileBytes)
            writer.member("record_bytes", stats.recordBytes)
            writer.member("wanted_bytes", stats.wantedBytes)
        } + "\n"
    }
}
