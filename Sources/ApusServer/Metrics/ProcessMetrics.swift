import ApusSockets
import Foundation
import Glibc

/// The standard process metrics of Prometheus clients, under their usual names.
///
/// Read from `/proc` at the time of a scrape. Values that cannot be read are left out.
struct ProcessMetrics: Sendable {
    /// In seconds since 1970. It never changes, so it is read once.
    private let startTime: Double?

    init() {
        self.startTime = Self.readStartTime()
    }

    var families: [MetricFamily] {
        let families: [(name: String, help: String, kind: MetricKind, value: MetricValue?)] = [
            (
                "process_cpu_seconds_total", "User and system CPU time spent in seconds.", .counter,
                .floating(Self.cpuSeconds)
            ),
            (
                "process_resident_memory_bytes", "Resident memory size in bytes.", .gauge,
                Self.residentMemory.map(MetricValue.integer)
            ),
            (
                "process_open_fds", "Number of open file descriptors.", .gauge,
                ProcFile.openFiles.map(MetricValue.integer)
            ),
            (
                "process_max_fds", "Maximum number of open file descriptors.", .gauge,
                OpenFiles.limit.map(MetricValue.integer)
            ),
            (
                "process_start_time_seconds", "Start time of the process since the Unix epoch in seconds.", .gauge,
                startTime.map(MetricValue.floating)
            ),
        ]
        return families.compactMap { family in
            family.value.map { MetricFamily(name: family.name, help: family.help, kind: family.kind, value: $0) }
        }
    }

    // MARK: Sources

    private static var cpuSeconds: Double { Double(ProcessorTime.ofProcess) / 1e9 }

    /// The resident memory in bytes: the second field of `statm`, which is in pages.
    private static var residentMemory: Int? {
        let fields = ProcFile.text("/proc/self/statm")?.split(separator: " ")
        guard let fields, fields.count > 1 else { return nil }
        return Int(fields[1]).map { $0 * sysconf(Int32(_SC_PAGESIZE)) }
    }

    /// The process's start time in seconds since 1970. The 22nd field of `stat` is the start time in clock ticks after
    /// boot.
    ///
    /// The boot time comes from the clock that started at boot, because `/proc/stat` is hidden from services that may
    /// see only processes.
    private static func readStartTime() -> Double? {
        // The second field is the program's name in parentheses, which may contain any characters.
        let fields = ProcFile.text("/proc/self/stat")?.split(separator: ")").last?.split(separator: " ")
        let ticksPerSecond = sysconf(Int32(_SC_CLK_TCK))
        guard let fields, fields.count > 19, let ticks = Int(fields[19]), ticksPerSecond > 0 else { return nil }
        let clock = ContinuousClock()
        let sinceBoot = (clock.now - clock.systemEpoch) / .seconds(1)
        let start = Date().timeIntervalSince1970 - sinceBoot + Double(ticks) / Double(ticksPerSecond)
        // Round to the precision of the ticks.
        return (start * 100).rounded() / 100
    }
}
