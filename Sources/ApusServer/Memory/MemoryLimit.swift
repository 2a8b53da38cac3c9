import ApusProtocol
import ApusSockets

/// How much memory the server may use: so many bytes, or a share of what there is.
public enum MemoryLimit: Sendable, Equatable {
    /// 0 means that there is no limit.
    case bytes(Int)
    /// In percent of the control group's memory, or of the machine's if no group limits it.
    case share(Int)

    /// The limit in bytes; `nil` if there is none, or if it is a share of something unknown.
    func bytes(of available: @autoclosure () -> Int?) -> Int? {
        switch self {
        case .bytes(let bytes): bytes > 0 ? bytes : nil
        case .share(let percent): available().map { Int(Double($0) / 100 * Double(percent)) }
        }
    }
}

extension ValueCodec where Value == MemoryLimit {
    /// A size in bytes, or a share in percent: `2GB`, `75%`.
    static var memoryLimit: ValueCodec {
        ValueCodec(
            "size",
            expectation: "0, a size in bytes of at least 16MiB, such as 2GiB, or a share from 1% to 100%",
            read: { text in
                if text.hasSuffix("%") {
                    let digits = text.dropLast()
                    guard Digits.areAll(digits), let percent = Int(digits) else { return nil }
                    return (1...100).contains(percent) ? .share(percent) : nil
                }
                guard let bytes = ByteSize.bytes(text) else { return nil }
                return bytes == 0 || (16 << 20...1 << 50).contains(bytes) ? .bytes(bytes) : nil
            },
            show: { limit in
                switch limit {
                case .bytes(let bytes): .size(bytes)
                case .share(let percent): .word("\(percent)%")
                }
            }
        )
    }
}

/// The memory that the process can have.
enum AvailableMemory {
    /// In bytes: the least that the process's control groups and the machine allow; `nil` if nothing says.
    static var bytes: Int? {
        let machine = field("MemTotal", of: ProcFile.text("/proc/meminfo") ?? "")
        return (groupLimits(ProcFile.text("/proc/self/cgroup") ?? "") { ProcFile.text($0) } + [machine])
            .compactMap(\.self).min()
    }

    /// The limits of the process's control group and the groups around it (cgroups(7)).
    ///
    /// - Parameters:
    ///   - membership: the text of `/proc/self/cgroup`.
    ///   - read: reads a file.
    static func groupLimits(_ membership: String, read: (String) -> String?) -> [Int?] {
        membership.split(separator: "\n").flatMap { line -> [Int?] in
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { return [] }
            let (root, file): (String, String)
            switch parts[1] {
            case "": (root, file) = ("/sys/fs/cgroup", "memory.max")
            case let controllers where controllers.split(separator: ",").contains("memory"):
                (root, file) = ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            default: return []
            }
            var path = parts[2] == "/" ? "" : String(parts[2])
            var limits = [read("\(root)\(path)/\(file)").flatMap(limit)]
            while let slash = path.lastIndex(of: "/") {
                path = String(path[..<slash])
                limits.append(read("\(root)\(path)/\(file)").flatMap(limit))
            }
            return limits
        }
    }

    /// A limit file's value. `max` means none, and version 1 writes a number near the largest.
    private static func limit(_ text: String) -> Int? {
        Int(text.trimmed).flatMap { $0 < 1 << 60 ? $0 : nil }
    }

    /// A field of `/proc/meminfo`, in bytes.
    private static func field(_ name: String, of text: String) -> Int? {
        let line = text.split(separator: "\n").first { $0.hasPrefix("\(name):") }
        return line?.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
    }
}
