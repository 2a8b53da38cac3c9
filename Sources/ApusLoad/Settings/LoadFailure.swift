/// Why a run cannot begin, or was broken off.
public struct LoadFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// What kind of reason it is, for exit codes.
    public enum Reason: Sendable, Equatable {
        /// The options cannot be carried out, here or at all.
        case impossible
        /// Nobody answers at the address.
        case unreachable
        /// The server does not take what the run needs.
        case refused
        /// Something went wrong on the way.
        case broken
    }

    /// What kind of reason it is.
    public let reason: Reason
    /// One clause without a full stop.
    public let message: String

    /// Makes a failure.
    public init(_ reason: Reason, _ message: String) {
        self.reason = reason
        self.message = message
    }

    public var description: String { message }
}
