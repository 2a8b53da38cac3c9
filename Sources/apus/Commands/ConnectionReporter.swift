import ApusClient
import Synchronization

/// Says once that a connection is lost and once that it is back.
final class ConnectionReporter: Sendable {
    private let isLost = Mutex(false)
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
        case .failed:
            // The command fails with it, and says so.
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
    /// The failure for what ended a client, which knows the topic or the close that it was about.
    init(endedBy error: ClientError) {
        if let close = error.close {
            self.init(close)
        } else {
            self.init(error, topic: error.topic)
        }
    }
}
