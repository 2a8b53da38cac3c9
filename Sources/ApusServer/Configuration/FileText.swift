import Foundation

/// Reads files of text whole.
enum FileText {
    /// The most bytes of a file with a secret.
    static let secretLimit = 64 << 10

    /// The contents, without the mark that some editors put first to say that it is UTF-8.
    static func read(_ path: String, limit: Int) throws(FileFault) -> String {
        let data: Data
        do {
            let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            defer { try? file.close() }
            // One byte more than allowed tells a file that is too large from one that just fits.
            data = try file.read(upToCount: limit + 1) ?? Data()
        } catch {
            throw FileFault(reason: systemReason(of: error))
        }
        guard data.count <= limit else { throw FileFault(reason: "it is larger than \(limit) bytes") }
        guard let text = String(validating: data, as: UTF8.self) else { throw FileFault(reason: "it is not UTF-8") }
        return text.unicodeScalars.first == "\u{FEFF}" ? String(text.unicodeScalars.dropFirst()) : text
    }

    /// What the system said, rather than the sentence that Foundation makes of it.
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

/// What is wrong with a file, before it is known who named it.
struct FileFault: Error {
    let reason: String
}
