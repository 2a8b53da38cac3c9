import Glibc

/// The current time in the format of a `Date` field (RFC 9110 section 5.6.7).
func httpDate() -> String {
    var seconds = time(nil)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { text in
        guard let base = text.baseAddress,
            strftime(base, text.count, "%a, %d %b %Y %H:%M:%S GMT", &parts) > 0
        else { return "" }
        return String(cString: base)
    }
}
