import ApusAccess
import Foundation

/// Changes a file of keys so that a reader finds either the old or the new one, whole, even after a crash.
///
/// The folder is locked meanwhile: two commands at once would else lose a key. A symbolic link is followed, so that it
/// stays one. A new file belongs to its owner alone (mode 0600). One that exists keeps its owner and group, and others
/// lose their access to it.
struct KeysFileStore {
    private let path: String

    init(path: String) {
        self.path = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    }

    func update(
        mayCreate: Bool,
        _ change: (inout KeysFile) throws(AccessError) -> Void
    ) throws(AccessError) {
        let folder = open((path as NSString).deletingLastPathComponent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw Self.failure("its folder cannot be opened") }
        defer { close(folder) }
        while flock(folder, LOCK_EX) != 0 {
            guard errno == EINTR else { throw Self.failure("its folder cannot be locked") }
        }
        let access = FileAccess(path: path)
        var keys = try mayCreate && access == nil ? KeysFile.new(path: path) : KeysFile(path: path)
        try change(&keys)
        try write(keys.text, like: access)
        fsync(folder)
    }

    private func write(_ text: String, like old: FileAccess?) throws(AccessError) {
        let temporary = path + ".\(UInt64.random(in: .min ... .max)).tmp"
        // With O_EXCL nobody can have put a link to another file there.
        let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Self.failure("it cannot be written") }
        defer { close(file) }
        do throws(AccessError) {
            if let old {
                // Only root can give a file away. If that fails, the file must not become readable for another group.
                let isSame = fchown(file, old.owner, old.group) == 0
                let mode = isSame ? old.mode & 0o660 | 0o600 : 0o600
                guard fchmod(file, mode) == 0 else { throw Self.failure("it cannot be written") }
            }
            var rest = Array(text.utf8)[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { Foundation.write(file, $0.baseAddress, $0.count) }
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw Self.failure("it cannot be written") }
                rest = rest.dropFirst(count)
            }
            guard fsync(file) == 0, rename(temporary, path) == 0 else { throw Self.failure("it cannot be written") }
        } catch {
            unlink(temporary)
            throw error
        }
    }

    private static func failure(_ what: String) -> AccessError {
        AccessError(.file, "\(what): \(String(cString: strerror(errno)).lowercased())")
    }
}

/// Who owns a file, and what they may do with it.
private struct FileAccess {
    let owner: uid_t
    let group: gid_t
    let mode: mode_t

    /// `nil` if there is no such file.
    init?(path: String) {
        guard
            let attributes = try? FileManager.default.attributesOfItem(atPath: path),
            let owner = attributes[.ownerAccountID] as? NSNumber,
            let group = attributes[.groupOwnerAccountID] as? NSNumber,
            let mode = attributes[.posixPermissions] as? NSNumber
        else { return nil }
        self.owner = owner.uint32Value
        self.group = group.uint32Value
        self.mode = mode.uint32Value
    }
}
