import ApusJournal
import ApusProtocol
import ApusStore
import ArgumentParser

extension DataCommand {
    struct Check: DataFolderCommand {
        static let title = "apus data check"
        static let configuration = CommandConfiguration(
            commandName: "check",
            abstract: "Read everything in the folder, and say what is damaged.",
            discussion: """
                Reads every message with its checksum, every index, and every row of the catalog. Changes nothing, and works beside a \
                running server. Each damage is a line with the file, the place in it, and the topic and offsets where they are known.

                Exits with 0 when all is well, with 78 when something is damaged or was written by a newer version.
                """
        )

        @OptionGroup var folder: Folder

        @Flag(help: "Print JSON: an object with `ok`, totals and `failures`.")
        var json = false

        func execute() async throws {
            let path = folder.path
            let progress = DataProgress("segments")
            let survey = try Self.reporting { () throws(DataFolderError) in
                try FolderSurvey(FolderView(path), progress: progress.show(_:of:), visit: RecordContents.problem)
            }
            progress.clear()
            let failures = survey.failures
            try await StandardOutput.write(json ? Self.json(survey) : Self.text(survey))
            guard !failures.isEmpty else { return }
            let isNewer = failures.contains { if case .newer = $0 { true } else { false } }
            let advice = isNewer ? "" : "; stop the server and see what `apus data repair \(path)` would do"
            let isDamaged = failures.contains { $0.exitCode == ExitCode.badConfiguration.rawValue }
            guard isDamaged else { throw CommandFailure("not all could be read", exitCode: .cannotCreate) }
            throw CommandFailure("\(failures.count) damaged\(advice)", exitCode: .badConfiguration)
        }

        private static func text(_ survey: FolderSurvey) -> String {
            let failures = survey.failures
            var text = failures.map { "\($0)\n" }.joined()
            let totals = survey.totals
            text += "\(counted(totals.topics, "topic")), \(counted(totals.messages, "message")) in "
            text += "\(counted(totals.records, "record")), \(Figures.bytes(Double(totals.bytes))) in "
            text += counted(totals.segments, "segment")
            text += failures.isEmpty ? ": all is well\n" : "\n"
            if let (file, place) = survey.torn {
                text += "\(file) ends at byte \(place) in what is being written, or what a crash has cut: no damage\n"
            }
            return text
        }

        private static func json(_ survey: FolderSurvey) -> String {
            JSONWriter.object { writer in
                writer.member("ok", survey.failures.isEmpty)
                writer.member("topics", survey.totals.topics)
                writer.member("messages", survey.totals.messages)
                writer.member("records", survey.totals.records)
                writer.member("segments", survey.totals.segments)
                writer.member("bytes", survey.totals.bytes)
                writer.array("failures", of: survey.failures) { writer, failure in
                    writer.member("message", "\(failure)")
                    writer.member("exit_code", failure.exitCode)
                }
                if let (file, place) = survey.torn {
                    writer.object("torn") { writer in
                        writer.member("file", file)
                        writer.member("byte", place)
                    }
                }
            } + "\n"
        }
    }
}
