import Glibc

/// How many files the process may open. This is the hard limit for connections.
package enum OpenFiles {
    private static var kind: __rlimit_resource_t { __rlimit_resource_t(RLIMIT_NOFILE.rawValue) }

    private static var limits: rlimit? {
        var limits = rlimit()
        return getrlimit(kind, &limits) == 0 ? limits : nil
    }

    /// How many files the process may have open now; `nil` when that cannot be read.
    package static var limit: Int? { limits.map { Int(clamping: $0.rlim_cur) } }

    /// Raises the soft limit to the hard limit, as servers do.
    package static func raiseLimit() {
        guard let limits, limits.rlim_cur < limits.rlim_max else { return }
        _ = set(rlimit(rlim_cur: limits.rlim_max, rlim_max: limits.rlim_max))
    }

    /// Raises the limit to `needed` as far as possible. Root may exceed the hard limit.
    package static func raiseLimit(to needed: Int) {
        guard let limits, limits.rlim_cur < rlim_t(needed) else { return }
        if !set(rlimit(rlim_cur: rlim_t(needed), rlim_max: max(rlim_t(needed), limits.rlim_max))) { raiseLimit() }
    }

    /// Opens `/dev/null` in place of standard streams that are closed, so that no other file gets their numbers.
    package static func fillStandardStreams() {
        var file: CInt
        repeat { file = open("/dev/null", O_RDWR) } while (0...2).contains(file)
        if file > 2 { close(file) }
    }

    private static func set(_ limits: rlimit) -> Bool {
        var limits = limits
        return setrlimit(kind, &limits) == 0
    }
}
