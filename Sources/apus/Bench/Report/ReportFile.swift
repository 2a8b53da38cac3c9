import Foundation

/// The file of a report. It is opened before the run, so that an unwritable path is known before the work is done.
struct ReportFile {
    private let path: String
    private let file: FileHandle

    init(path: String) throws {
        let files = FileManager.default
        let isThere = files.fileExists(atPath: path) || files.createFile(atPath: path, contents: nil)
        guard isThere, let file = FileHandle(forWritingAtPath: path) else {
            throw CommandFailure("--report: cannot write '\(path)'", exitCode: .usage)
        }
        self.path = path
        self.file = file
    }

    func write(_ text: String) throws {
        do {
            try file.truncate(atOffset: 0)
            try file.write(contentsOf: Data(text.utf8))
            try file.close()
        } catch {
            throw CommandFailure("--report: cannot write '\(path)': \(error.localizedDescription)")
        }
    }
}
