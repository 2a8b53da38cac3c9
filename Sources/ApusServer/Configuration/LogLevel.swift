public import Logging
import Synchronization

/// The level of a log, which may change while the log is written. All copies of a logger share it, except those whose
/// level was set.
public final class LogLevel: Sendable {
    private static let all = Logger.Level.allCases

    /// The index in ``all``.
    private let index: Atomic<Int>

    public init(_ level: Logger.Level) {
        index = Atomic(Self.index(of: level))
    }

    public var value: Logger.Level {
        get { Self.all[index.load(ordering: .relaxed)] }
        set { index.store(Self.index(of: newValue), ordering: .relaxed) }
    }

    private static func index(of level: Logger.Level) -> Int { all.firstIndex(of: level) ?? 0 }
}
