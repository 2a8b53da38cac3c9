import Glibc
import NIOConcurrencyHelpers

private let lastDate = NIOLockedValueBox((seconds: time_t.min, text: ""))

/// The time now as `Date` fields have it (RFC 9110 section 5.6.7). Formatted once a second.
func httpDate() -> String {
    let now = time(nil)
    return lastDate.withLockedValue { last in
        if last.seconds != now { last = (now, httpDate(at: now)) }
        return last.text
    }
}

private func httpDate(at seconds: time_t) -> String {
    var seconds = seconds
    var parts = tm()
    gmtime_r(&seconds, &parts)
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { text in
        guard let base = text.baseAddress,
            strftime(base, text.count, "%a, %d %b %Y %H:%M:%S GMT", &parts) > 0
        else { return "" }
        return String(cString: base)
    }
}
