import ApusSockets
import Glibc

/// The resources that the server's processes have used, at one moment.
struct ServerSample: Sendable {
    /// For each thread, how long it ran and how long it waited for a core, in nanoseconds.
    var threads: [Int32: (ran: UInt64, waited: UInt64)] = [:]
    /// Processor time of all threads, including ended ones, in seconds. The resolution is one tick, usually 10 ms.
    var ticks = 0.0
    var residentBytes = 0
    /// Resident bytes with shared pages counted proportionally; `nil` unless requested and available.
    var proportionalBytes: Int?

    /// Takes a sample of the processes.
    ///
    /// - Parameter details: also takes proportional bytes, for which the kernel walks through all memory of the
    ///   processes.
    static func take(_ pids: [Int32], details: Bool = false) -> ServerSample {
        var sample = ServerSample()
        for pid in pids { sample.add(pid, details: details) }
        return sample
    }

    private mutating func add(_ pid: Int32, details: Bool) {
        if let text = ProcFile.text("/proc/\(pid)/stat"), let end = text.lastIndex(of: ")") {
            // The state, field 3, follows the name in parentheses. Fields 14 and 15 are user and system time.
            let fields = text[end...].dropFirst(2).split(separator: " ")
            if fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) {
                ticks += (user + system) / Double(sysconf(CInt(_SC_CLK_TCK)))
            }
        }
        for name in ProcFile.names(in: "/proc/\(pid)/task") {
            guard let thread = Int32(name), let text = ProcFile.text("/proc/\(pid)/task/\(name)/schedstat")
            else { continue }
            let fields = text.split(whereSeparator: \.isWhitespace)
            guard fields.count >= 2, let ran = UInt64(fields[0]), let waited = UInt64(fields[1]) else { continue }
            threads[thread] = (ran, waited)
        }
        if let text = ProcFile.text("/proc/\(pid)/statm") {
            let fields = text.split(separator: " ")
            if fields.count > 1, let pages = Int(fields[1]) { residentBytes += pages * sysconf(CInt(_SC_PAGESIZE)) }
        }
        if details, let text = ProcFile.text("/proc/\(pid)/smaps_rollup"),
            let kilobytes = ProcFile.number(after: "Pss", in: text)
        {
            proportionalBytes = (proportionalBytes ?? 0) + kilobytes * 1024
        }
    }

    /// Processor time since an earlier sample, in seconds. Exact, unless threads ended in between.
    func runTime(since earlier: ServerSample) -> Double {
        let isExact = earlier.threads.keys.allSatisfy { threads[$0] != nil }
        guard isExact, !threads.isEmpty else { return max(0, ticks - earlier.ticks) }
        return threads.reduce(0) { sum, thread in
            sum + Self.difference(thread.value.ran, earlier.threads[thread.key]?.ran)
        }
    }

    /// How long threads were ready to run but did not run, in seconds.
    func waitTime(since earlier: ServerSample) -> Double {
        threads.reduce(0) { $0 + Self.difference($1.value.waited, earlier.threads[$1.key]?.waited) }
    }

    /// Processor time of the busiest thread, in seconds.
    func busiestThreadTime(since earlier: ServerSample) -> Double {
        threads.map { Self.difference($0.value.ran, earlier.threads[$0.key]?.ran) }.max() ?? 0
    }

    private static func difference(_ later: UInt64, _ earlier: UInt64?) -> Double {
        Double(later - min(later, earlier ?? 0)) / 1e9
    }
}
