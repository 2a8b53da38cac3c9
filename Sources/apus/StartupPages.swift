import ApusSockets
import Glibc

/// Releases memory pages of the program that only its startup used: linking, parsing arguments and settings,
/// conformance lookups.
enum StartupPages {
    /// Unmaps the pages of code and constants, so that pages that serving does not use are no longer resident.
    ///
    /// This loses nothing: a page that is used again comes back from the page cache, with its neighbours. It affects
    /// only mappings that nothing can have changed: none that is writable, and none with a private page, such as one
    /// with a debugger's breakpoint.
    static func release() {
        var mapping: UnsafeMutableRawBufferPointer?
        ProcFile.forEachLine(of: "/proc/self/smaps") { line in
            let fields = line.split(separator: " ", maxSplits: 5)
            if fields.count > 4 {
                mapping = unchanging(fields)
            } else if fields.count > 1, fields[0] == "Anonymous:" {
                if let mapping, fields[1] == "0" { madvise(mapping.baseAddress, mapping.count, MADV_DONTNEED) }
                mapping = nil
            }
        }
    }

    /// The memory of a mapping that no store can change, from the first line about it: `7f5c1000-7f5c3000 r-xp 00002000
    /// fe:00 1234 /usr/bin/apus`.
    private static func unchanging(_ fields: [Substring]) -> UnsafeMutableRawBufferPointer? {
        let bounds = fields[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
        let isFile = fields[4] != "0"
        guard bounds.count == 2, bounds[0] < bounds[1], isFile, ["r--p", "r-xp"].contains(fields[1]) else { return nil }
        return UnsafeMutableRawBufferPointer(
            start: UnsafeMutableRawPointer(bitPattern: bounds[0]),
            count: Int(bounds[1] - bounds[0])
        )
    }
}
