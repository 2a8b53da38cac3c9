import ApusProtocol
import ApusStore
import ArgumentParser

extension DataCommand {
    struct Backup: DataFolderCommand {
        static let title = "apus data backup"
        static let configuration = CommandConfiguration(
            commandName: "backup",
            abstract: "Copy the folder, also while a server uses it.",
            discussion: """
                The copy has everything that was acknowledged before the command began, and `apus serve --data` starts from it. To \
                restore it, copy it back: cp -a TO DIR.

                Segments that are full are linked where the file system allows it: they then take no room, but a disk that loses one \
                loses it in both folders. Copy the backup to another disk.
                """
        )

        @OptionGroup var folder: Folder

        @Argument(help: ArgumentHelp("A folder that is empty or does not exist yet.", valueName: "to"))
        var target: String

        @Flag(help: "Print JSON.")
        var json = false

        func execute() async throws {
            let (path, target) = (folder.path, target)
            let progress = DataProgress("segments")
            let summary = try Self.reporting { () throws(DataFolderError) in
                try FolderBackup.make(of: FolderView(path), in: target, progress: progress.show(_:of:))
            }
            progress.clear()
            if json {
                let object = JSONWriter.object { writer in
                    writer.member("target", target)
                    writer.member("topics", summary.topics)
                    writer.member("segments", summary.segments)
                    writer.member("bytes", summary.bytes)
                    writer.member("linked_bytes", summary.linkedBytes)
                }
                return try await StandardOutput.write(object + "\n")
            }
            let linked = summary.linkedBytes > 0 ? ", \(Figures.bytes(Double(summary.linkedBytes))) of them linked" : ""
            let (topics, segments) = (counted(summary.topics, "topic"), counted(summary.segments, "segment"))
            let bytes = Figures.bytes(Double(summary.bytes))
            try await StandardOutput.write("\(target): \(topics), \(bytes) in \(segments)\(linked)\n")
        }
    }
}
