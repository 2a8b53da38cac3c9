import Glibc

/// Reads files of proc(5), whose size is unknown before they are read.
package enum ProcFile {
    /// The most that is read of a file: 16 MiB, enough for the sockets of a busy machine.
    private static let limit = 16 << 20

    /// The file's text; `nil` when it does not exist or cannot be read.
    package static func text(_ path: String) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while bytes.count < limit {
            let count = chunk.withUnsafeMutableBytes { read(file, $0.baseAddress, $0.count) }
            if count <= 0 { break }
            bytes += chunk[..<count]
        }
        return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
    }

    /// Passes on the file's lines, each with its line end, and holds only one of them at a time.
    ///
    /// The rest of a line that is longer than 1,023 bytes is passed on as a line of its own.
    package static func forEachLine(of path: String, _ body: (String) -> Void) {
        guard let file = fopen(path, "re") else { return }
        defer { fclose(file) }
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1024) { buffer in
            guard let line = buffer.baseAddress else { return }
            while fgets(line, Int32(buffer.count), file) != nil { body(String(cString: line)) }
        }
    }

    /// The names in a folder; empty when it does not exist or cannot be read.
    package static func names(in path: String) -> [String] {
        var names: [String] = []
        forEachName(in: path) { names.append($0) }
        return names
    }

    /// How many files the process has open; `nil` when that cannot be read.
    package static var openFiles: Int? {
        var count = 0
        forEachName(in: "/proc/self/fd") { _ in count += 1 }
        // Do not count the descriptor of the folder being read.
        return count > 0 ? count - 1 : nil
    }

    private static func forEachName(in path: String, _ body: (String) -> Void) {
        guard let folder = opendir(path) else { return }
        defer { closedir(folder) }
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { body(name) }
        }
    }

    /// The target of a symbolic link; `nil` when it cannot be read.
    package static func link(_ path: String) -> String? {
        var room = [UInt8](repeating: 0, count: 256)
        let count = room.withUnsafeMutableBytes { bytes -> Int in
            guard let base = bytes.assumingMemoryBound(to: CChar.self).baseAddress else { return 0 }
            return readlink(path, base, bytes.count)
        }
        return count > 0 ? String(decoding: room[..<count], as: UTF8.self) : nil
    }

    /// The number after `name:` in a file with lines such as `VmRSS:  123 kB`.
    package static func number(after name: String, in text: String) -> Int? {
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(name + ":") }) else { return nil }
        return Int(line.dropFirst(name.count + 1).drop { $0 == " " || $0 == "\t" }.prefix { $0.isNumber })
    }

    /// The number of cores that this process may run on.
    package static var usableCores: Int {
        guard let text = text("/proc/self/status"),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("Cpus_allowed:") })
        else { return 1 }
        return line.dropFirst("Cpus_allowed:".count).reduce(0) { $0 + ($1.hexDigitValue ?? 0).nonzeroBitCount }
    }
}

/// A small file of proc(5) that stays open, and is read again and again.
package struct OpenProcFile: Sendable {
    private static let limit = 4096

    private let descriptor: CInt

    package init(_ path: String) {
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
    }

    /// The text that it has now; `nil` when it cannot be read.
    package var text: String? {
        withUnsafeTemporaryAllocation(byteCount: Self.limit, alignment: 1) { buffer in
            let count = pread(descriptor, buffer.baseAddress, buffer.count, 0)
            return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
        }
    }
}
