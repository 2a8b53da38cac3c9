import Glibc

/// How many files the process may open: the hard bound on connections.
public enum OpenFiles {
    /// What the process needs besides its clients' sockets.
    private static let reserved = 64

    /// Raises the soft limit to the hard one, as servers do, and returns what it is then.
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

    /// How many sockets may be accepted before the server waits for one to close, rather than fail to accept.
    static var spareForSockets: Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 512 }
        return max(Int(clamping: limit.rlim_cur) - reserved, 16)
    }
}
