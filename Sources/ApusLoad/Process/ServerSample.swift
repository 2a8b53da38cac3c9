import Glibc

/// What the server's processes have used up at one moment.
struct ServerSample: Sendable {
    /// Nanoseconds run and waited for a core, of each thread.
    var threads: [Int32: (ran: UInt64, waited: UInt64)] = [:]
    /// Processor time of all threads, those that are gone too, in seconds and to the tick (usually 10 ms).
    var ticks = 0.0
    var residentBytes = 0
    /// Resident bytes with shared pages counted in part; nil unless they were asked for, or where they cannot be had.
    var proportionalBytes: Int?

    /// Looks at the processes now.
    ///
    /// `details` asks for proportional bytes, for which the kernel walks through all of their memory.
    static func take(_ pids: [Int32], details: Bool = false) -> ServerSample {
        var sample = ServerSample()
        for pid in pids { sample.add(pid, details: details) }
        return sample
    }

    private mutating func add(_ pid: Int32, details: Bool) {
        if let text = ProcFile.text("/proc/\(pid)/stat"), let end = text.lastIndex(of: ")") {
            // After the name in parentheses comes the state as field 3; 14 and 15 are user and system time.
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

    /// Seconds run from an earlier sample to this one: exact, unless threads ended meanwhile.
    func runTime(since earlier: ServerSample) -> Double {
        let isExact = earlier.threads.keys.allSatisfy { threads[$0] != nil }
        guard isExact, !threads.isEmpty else { return max(0, ticks - earlier.ticks) }
        return threads.reduce(0) { sum, thread in
            sum + Self.difference(thread.value.ran, earlier.threads[thread.key]?.ran)
        }
    }

    /// Seconds that threads were ready to run and did not.
    func waitTime(since earlier: ServerSample) -> Double {
        threads.reduce(0) { $0 + Self.difference($1.value.waited, earlier.threads[$1.key]?.waited) }
    }

    /// Seconds that the busiest thread ran.
    func busiestThreadTime(since earlier: ServerSample) -> Double {
        threads.map { Self.difference($0.value.ran, earlier.threads[$0.key]?.ran) }.max() ?? 0
    }

    private static func difference(_ later: UInt64, _ earlier: UInt64?) -> Double {
        Double(later - min(later, earlier ?? 0)) / 1e9
    }
}
