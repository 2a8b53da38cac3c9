/// Why a verification cannot begin.
package struct VerifyFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kind of failure, for exit codes.
    package enum Reason: Sendable, Equatable {
        /// The server lacks what the run needs, or refuses it.
        case refused
        /// The key or token is missing or wrong.
        case unauthorized
    }

    package let reason: Reason
    /// One clause without a full stop.
    package let message: String

    package init(_ reason: Reason, _ message: String) {
        self.reason = reason
        self.message = message
    }

    package var description: String { message }
}
