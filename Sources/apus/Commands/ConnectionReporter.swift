import ApusClient
import Synchronization

/// Reports once that the connection is lost, and once that it is back; and once each reason why a token is not renewed.
final class ConnectionReporter: Sendable {
    private let isLost = Mutex(false)
    private let lastFailure = Mutex("")
    private let say: @Sendable (String) -> Void
    private let onReturn: @Sendable () -> Void

    init(say: @escaping @Sendable (String) -> Void, onReturn: @escaping @Sendable () -> Void = {}) {
        self.say = say
        self.onReturn = onReturn
    }

    func report(_ change: ApusClient.ConnectionChange) {
        switch change {
        case .connected:
            guard setLost(false) else { return }
            say("reconnected")
            onReturn()
        case .disconnected(let error, _):
            if !setLost(true) { say("\(CommandFailure(endedBy: error).message); reconnecting") }
        case .renewalFailed(let error):
            let message = CommandFailure(error, hints: false).message
            let isNew = lastFailure.withLock { last in
                defer { last = message }
                return last != message
            }
            if isNew { say("the token is not renewed: \(message)") }
        case .failed:
            // The command fails with this error and reports it.
            break
        }
    }

    private func setLost(_ isLost: Bool) -> Bool {
        self.isLost.withLock { wasLost in
            defer { wasLost = isLost }
            return wasLost
        }
    }
}

extension CommandFailure {
    /// The failure for an error that ended a client. The error may name the topic or the close.
    init(endedBy error: ClientError) {
        if let close = error.close {
            self.init(close)
        } else {
            self.init(error, topic: error.topic)
        }
    }
}
