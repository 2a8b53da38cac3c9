import Foundation

/// Reads whole text files.
enum FileText {
    /// The largest file with a secret, in bytes.
    static let secretLimit = 64 << 10

    /// The file's contents, without a leading byte order mark.
    ///
    /// - Throws: ``FileFault`` if the file cannot be read.
    static func read(_ path: String, limit: Int) throws(FileFault) -> String {
        let data: Data
        do {
            let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            defer { try? file.close() }
            // Read one byte more than allowed, to detect a file that is too large.
            data = try file.read(upToCount: limit + 1) ?? Data()
        } catch {
            throw FileFault(reason: systemReason(of: error))
        }
        guard data.count <= limit else { throw FileFault(reason: "it is larger than \(limit) bytes") }
        guard let text = String(validating: data, as: UTF8.self) else { throw FileFault(reason: "it is not UTF-8") }
        return text.unicodeScalars.first == "\u{FEFF}" ? String(text.unicodeScalars.dropFirst()) : text
    }

    /// The system's error message instead of Foundation's longer sentence.
    private static func systemReason(of error: any Error) -> String {
        let error = error as NSError
        let cause = error.userInfo[NSUnderlyingErrorKey] as? NSError ?? error
        guard cause.domain == NSPOSIXErrorDomain else {
            return switch CocoaError.Code(rawValue: error.code) {
            case .fileNoSuchFile, .fileReadNoSuchFile: "no such file or directory"
            case .fileReadNoPermission: "permission denied"
            default: error.localizedDescription
            }
        }
        return String(cString: strerror(Int32(cause.code))).lowercased()
    }
}

/// What is wrong with a file, without the file's name.
struct FileFault: Error {
    let reason: String
}
