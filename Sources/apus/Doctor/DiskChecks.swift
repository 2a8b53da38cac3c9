import ApusSockets
import Foundation

/// Looks at the folder that a server keeps its topics in, and at the disk below it.
struct DiskChecks {
    /// The room on a folder's file system.
    struct Space: Equatable {
        var free: Int
        var size: Int
        var freeFiles: Int?
    }

    private static let (flushes, flushLimit) = (20, Duration.seconds(2))
    private static let (littleBytes, leastBytes) = (1 << 30, 100 << 20)

    let path: String

    func findings() -> [Finding] {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            // Asked again for the reason, which may be a folder above it.
            _ = access(path, F_OK)
            let reason = String(cString: strerror(errno)).lowercased()
            return [
                .fail(
                    .data,
                    "folder",
                    "\(path): \(reason)",
                    why: "the server cannot keep its topics there",
                    advice: "make it for the server's user: install -d -m 0750 -o USER \(path)"
                )
            ]
        }
        guard isFolder.boolValue else {
            return [
                .fail(
                    .data,
                    "folder",
                    "\(path) is no folder",
                    why: "the server keeps several files",
                    advice: "name a folder"
                )
            ]
        }
        guard access(path, W_OK | X_OK) == 0 else {
            return [
                .fail(
                    .data,
                    "folder",
                    "\(path) cannot be written by this user",
                    why: "the server could not, either, as this user",
                    advice: "run this as the server's user, or give the folder to that user: chown USER \(path)"
                )
            ]
        }
        var findings = [Finding.ok(.data, "folder", path)]
        if let kind = Self.kind(of: path, mounts: ProcFile.text("/proc/self/mountinfo") ?? "") {
            findings.append(Self.judge(kind: kind))
        }
        if let space = space() { findings.append(Self.judge(space)) }
        if let flush = flush() { findings.append(flush) }
        return findings
    }

    // MARK: File system

    /// The kind of file system that a folder is on: the last one that is mounted closest to it.
    ///
    /// - Parameter mounts: what proc_pid_mountinfo(5) describes.
    static func kind(of path: String, mounts: String) -> String? {
        let real = URL(fileURLWithPath: path).resolvingSymlinksInPath().path + "/"
        var best: (length: Int, kind: String)?
        for line in mounts.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 4, let dash = fields.firstIndex(of: "-"), dash + 1 < fields.count else { continue }
            let place = fields[4].replacingOccurrences(of: "\\040", with: " ")
            let prefix = place.hasSuffix("/") ? place : place + "/"
            guard real.hasPrefix(prefix), prefix.count >= best?.length ?? 0 else { continue }
            best = (prefix.count, String(fields[dash + 1]))
        }
        return best?.kind
    }

    static func judge(kind: String) -> Finding {
        func warn(_ found: String, why: String, advice: String) -> Finding {
            .warn(.data, "file system", found, why: why, advice: advice)
        }
        switch kind {
        case "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "fuse.glusterfs", "fuse.sshfs", "afs":
            return warn(
                "\(kind), over the network",
                why:
                    "a flush takes as long as the network, and locks and crashes may behave otherwise than on a local disk",
                advice: "keep the folder on a local disk, and copy it away with apus data backup"
            )
        case "tmpfs", "ramfs":
            return warn(
                "\(kind), in memory",
                why: "what is kept there is gone after a restart of the machine",
                advice: "keep the folder on a disk"
            )
        case "overlay":
            return warn(
                "overlay, a layer of a container",
                why: "what is kept there goes with the container",
                advice: "mount a volume there"
            )
        case _ where kind.hasPrefix("fuse"):
            return warn(
                kind,
                why: "what a flush means depends on a program in between",
                advice: "make sure that it keeps what was flushed, or use a local disk"
            )
        default:
            return .ok(.data, "file system", kind)
        }
    }

    private func space() -> Space? {
        var space = statvfs()
        guard statvfs(path, &space) == 0 else { return nil }
        let block = Int(space.f_frsize)
        return Space(
            free: Int(space.f_bavail) * block,
            size: Int(space.f_blocks) * block,
            freeFiles: space.f_files > 0 ? Int(space.f_favail) : nil
        )
    }

    static func judge(_ system: Space) -> Finding {
        let found = "\(Figures.bytes(Double(system.free))) of \(Figures.bytes(Double(system.size)))"
        let why = "a server whose disk is full refuses messages of durable topics until there is room"
        let advice = "make room, give topics less history, or set data_bytes so that old messages go in time"
        if let files = system.freeFiles, files < 1000 {
            return .warn(.data, "free space", "\(found), but \(files) inodes", why: why, advice: "remove small files")
        }
        if system.free < leastBytes { return .fail(.data, "free space", found, why: why, advice: advice) }
        let isLittle = system.free < littleBytes || Double(system.free) < Double(system.size) * 0.05
        return isLittle
            ? .warn(.data, "free space", found, why: why, advice: advice) : .ok(.data, "free space", found)
    }

    // MARK: Flushes

    /// Writes to a file that has no name any more, so that nothing is left behind, and flushes it.
    private func flush() -> Finding? {
        let name = path + "/.apus-doctor-\(UInt32.random(in: .min ... .max))"
        let file = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { return nil }
        unlink(name)
        defer { close(file) }
        let page = [UInt8](repeating: 0x61, count: 4096)
        var times: [Duration] = []
        let start = ContinuousClock.now
        while times.count < Self.flushes, ContinuousClock.now - start < Self.flushLimit {
            let written = page.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
            let before = ContinuousClock.now
            guard written == page.count, fdatasync(file) == 0 else { return nil }
            times.append(ContinuousClock.now - before)
        }
        return Self.flush(times)
    }

    static func flush(_ times: [Duration]) -> Finding? {
        let sorted = times.sorted()
        guard let longest = sorted.last else { return nil }
        let median = sorted[sorted.count / 2]
        func text(_ time: Duration) -> String { Figures.time(us: time / .microseconds(1)) }
        let found = "\(text(median)) in the middle, \(text(longest)) at most, of \(sorted.count)"
        guard median >= .milliseconds(10) else { return .ok(.data, "flush", found) }
        return .warn(
            .data,
            "flush",
            found,
            why: "with durability disk each ack waits for a flush",
            advice:
                "use a faster disk (SSD, or a controller with a battery), or durability os where a power cut may cost messages"
        )
    }
}
