import Foundation

/// The file of a report. It is opened before the run, so that an unwritable path is known before the work is done.
struct ReportFile {
    private let path: String
    private let file: FileHandle
    private let option: String

    /// - Parameter option: what names the file, for errors.
    init(path: String, option: String) throws {
        let files = FileManager.default
        let isThere = files.fileExists(atPath: path) || files.createFile(atPath: path, contents: nil)
        guard isThere, let file = FileHandle(forWritingAtPath: path) else {
            throw CommandFailure("\(option): cannot write '\(path)'", exitCode: .usage)
        }
        self.path = path
        self.file = file
        self.option = option
    }

    func write(_ text: String) throws {
        do {
            try file.truncate(atOffset: 0)
            try file.write(contentsOf: Data(text.utf8))
            try file.close()
        } catch {
            throw CommandFailure("\(option): cannot write '\(path)': \(error.localizedDescription)")
        }
    }
}
