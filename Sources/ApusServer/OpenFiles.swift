import Glibc

/// How many files the process may open. This is the hard limit for connections.
public enum OpenFiles {
    /// How many files the process needs besides its clients' sockets.
    private static let reserved = 64

    /// Raises the soft limit to the hard limit, as servers do, and returns the new soft limit.
    @discardableResult
    public static func raiseLimit() -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
        if limit.rlim_cur < limit.rlim_max {
            var raised = limit
            raised.rlim_cur = limit.rlim_max
            if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &raised) == 0 { limit = raised }
        }
        return Int(clamping: limit.rlim_cur)
    }

    /// How many sockets the server may accept before it waits for one to close, so that `accept` does not fail for lack
    /// of file descriptors.
    static var spareForSockets: Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 512 }
        return max(Int(clamping: limit.rlim_cur) - reserved, 16)
    }
}
