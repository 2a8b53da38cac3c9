#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The CPU time this process has used: other processes cost accuracy, but do not count.
enum Stopwatch {
    /// In nanoseconds; user and system.
    static var cpuTime: Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
    }

    /// The CPU time of one call of `body`, in nanoseconds, over `count` calls.
    static func time(_ count: Int, _ body: (Int) -> Void) -> Double {
        let begin = cpuTime
        for number in 0..<count { body(number) }
        return (cpuTime - begin) / Double(count)
    }
}
