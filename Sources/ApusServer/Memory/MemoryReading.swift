import ApusSockets
import CEpoll
import Glibc

/// How much memory the process uses, as the kernel and the allocator count it.
///
/// The allocator's count is the truth about all parts at once: logs, outboxes, input, topics, connections, caches, and
/// what each allocation costs beyond its bytes. Freed memory that the allocator keeps does not count.
struct MemoryReading: Sendable, Equatable {
    /// Anonymous memory that is resident, in bytes.
    var resident: Int
    /// What is allocated, in bytes.
    var allocated: Int

    /// What counts against the limit.
    var used: Int { min(resident, allocated) }

    /// - Parameter enough: below so many resident bytes the allocator is not asked, as it counts by walking through its
    ///   free lists.
    static func now(enough: Int) -> MemoryReading {
        let resident = residentMemory
        return MemoryReading(resident: resident, allocated: resident < enough ? resident : allocatedMemory)
    }

    /// Stays open: memory must be looked at also when no further file can be opened.
    private static let statm = OpenProcFile("/proc/self/statm")

    /// What the allocator has handed out, in bytes; the largest number if it cannot tell.
    private static var allocatedMemory: Int { Int(clamping: cepoll_allocated_bytes()) }

    /// The second field of `statm` without the third: files that are mapped do not count. Both are in pages.
    private static var residentMemory: Int {
        let fields = (statm.text ?? "").split(separator: " ").compactMap { Int($0) }
        guard fields.count > 2 else { return 0 }
        return (fields[1] - fields[2]) * sysconf(Int32(_SC_PAGESIZE))
    }
}
