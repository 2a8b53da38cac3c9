/// Why a run cannot begin or was aborted.
public struct LoadFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kind of failure, for exit codes.
    public enum Reason: Sendable, Equatable {
        /// The options are not possible, on this machine or at all.
        case impossible
        /// Nobody answers at the address.
        case unreachable
        /// The server refuses what the run needs.
        case refused
        /// Something failed during the run.
        case broken
    }

    public let reason: Reason
    /// One clause without a full stop.
    public let message: String

    public init(_ reason: Reason, _ message: String) {
        self.reason = reason
        self.message = message
    }

    public var description: String { message }
}
