#if NATS
/// Why a node cannot work with these servers. The text is one sentence that says what to set.
package struct NATSFailure: Error, Equatable, CustomStringConvertible {
    package enum Reason: Sendable {
        case badSettings
        case unreachable
        case withoutTLS
        case untrusted
        case wrongCredentials
        case noPermission
        case tooOld
        case noJetStream
        case payloadTooSmall
        case notSynced
        case syncUnknown
        case foreignStream
        case tooFewServers
        case refused
        case noAnswer
    }

    package let reason: Reason
    package let description: String

    init(_ reason: Reason, _ description: String) {
        self.reason = reason
        self.description = description
    }

    /// Whether the same may succeed a moment later: servers that are starting, or elect a leader.
    package var mayPass: Bool { reason == .unreachable || reason == .noAnswer }
}
#endif
