import ApusJournal
import ApusProtocol
import ApusStore
import ArgumentParser

extension DataCommand {
    struct Repair: DataFolderCommand {
        static let title = "apus data repair"
        static let configuration = CommandConfiguration(
            commandName: "repair",
            abstract: "Give up what is damaged, so that the server starts again.",
            discussion: """
                No server may use the folder. First everything is read, and what will be lost is printed: file, topic, offsets. Then \
                --yes, or an answer on a terminal, has it done. Damaged files are put into a folder damaged-… beside the others.

                A topic with a gap keeps what comes after it. A topic that has lost its last messages, or may have, gets a new epoch: \
                clients learn that messages may be missing. A backup may have what is lost, so look there first.
                """
        )

        @OptionGroup var folder: Folder

        @Flag(help: "Do it without asking.")
        var yes = false

        @Flag(
            help: """
                Give all topics new epochs. For a folder that was restored from an older copy: what is published now gets offsets that \
                others have had.
                """
        )
        var newEpochs = false

        @Flag(help: "Print JSON, and do not ask: --yes has it done.")
        var json = false

        func execute() async throws {
            let (path, renewsAll) = (folder.path, newEpochs)
            let progress = DataProgress("segments")
            let repair = try Self.reporting { () throws(DataFolderError) in
                try FolderRepair(
                    path,
                    renewsAll: renewsAll,
                    makeEpoch: RecordContents.randomEpoch,
                    progress: progress.show(_:of:),
                    visit: RecordContents.problem
                )
            }
            progress.clear()
            if json { return try await runAsJSON(repair) }
            guard !repair.lines.isEmpty else { return try await StandardOutput.write("there is nothing to repair\n") }
            try await StandardOutput.write(repair.lines.map { $0 + "\n" }.joined())
            guard try await isAgreed() else {
                throw CommandFailure("nothing was changed; say --yes to have it done", exitCode: .badConfiguration)
            }
            let aside = try Self.reporting { () throws(DataFolderError) in try repair.run() }
            try await StandardOutput.write("repaired" + (aside.map { "; damaged files are in \($0)" } ?? "") + "\n")
        }

        private func runAsJSON(_ repair: FolderRepair) async throws {
            let does = yes && !repair.lines.isEmpty
            let aside = does ? try Self.reporting { () throws(DataFolderError) in try repair.run() } : nil
            let object = JSONWriter.object { writer in
                writer.member("repaired", does)
                writer.member("steps", json: "[" + repair.lines.map(jsonString).joined(separator: ",") + "]")
                if let aside { writer.member("damaged_files", aside) }
            }
            try await StandardOutput.write(object + "\n")
            guard does || repair.lines.isEmpty else {
                throw CommandFailure("nothing was changed; say --yes to have it done", exitCode: .badConfiguration)
            }
        }

        private func isAgreed() async throws -> Bool {
            guard !yes else { return true }
            guard Terminal.inputIsTerminal, Terminal.outputIsTerminal else { return false }
            try await StandardOutput.write("Shall this be done? [y/N] ")
            var lines = LineReader(limit: 100)
            let answer = try await lines.next()?.text?.lowercased() ?? ""
            return ["y", "yes"].contains(answer)
        }
    }
}
