import Foundation

/// Files that only their owner can read.
enum PrivateFile {
    /// Replaces a file as a whole, or makes it, with its folders.
    static func replace(_ path: String, with text: String) throws {
        let target = URL(fileURLWithPath: path).resolvingSymlinksInPath()
        do {
            try FileManager.default.createDirectory(
                at: target.deletingLastPathComponent(),
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
        } catch {
            throw CommandFailure("cannot make the folder of '\(path)': \(reason(of: error))", exitCode: .cannotCreate)
        }
        let temporary = target.path + ".\(UInt64.random(in: .min ... .max)).tmp"
        // With O_EXCL nobody can have put a link to another file there.
        let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw failure(path) }
        defer { close(file) }
        guard write(text, to: file), fsync(file) == 0, rename(temporary, target.path) == 0 else {
            let failure = failure(path)
            unlink(temporary)
            throw failure
        }
    }

    private static func write(_ text: String, to file: Int32) -> Bool {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Foundation.write(file, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    private static func failure(_ path: String) -> CommandFailure {
        CommandFailure(
            "cannot write '\(path)': \(String(cString: strerror(errno)).lowercased())",
            exitCode: .cannotCreate
        )
    }

    /// An error of Foundation in the system's words.
    static func reason(of error: any Error) -> String {
        guard let error = error as? CocoaError else { return "\(error)" }
        guard let code = (error.underlying as? POSIXError)?.code.rawValue else { return error.localizedDescription }
        return String(cString: strerror(code)).lowercased()
    }
}
