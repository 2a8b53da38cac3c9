import ApusClient
import NIOCore
import Synchronization

/// The unanswered publishes of one connection, oldest first; at most `limit`.
///
/// The sending task adds publishes, and the receiving task takes them. A leaf lock guards them.
final class PublishWindow: Sendable {
    static let limit = 64

    /// A publish on its way: `count` messages of a stream from `first` on.
    struct Pending: Equatable {
        let topic: Int
        let stream: UInt32
        let first: Int
        let count: Int
        let isBatch: Bool
    }

    private struct State {
        var pending: CircularBuffer<Pending> = []
        /// The number of the oldest publish, which is its `request_id`.
        var oldest = 0
        var isBroken = false
        var refusal: String?
    }

    private let state = Mutex(State())

    /// Adds a publish and returns its `request_id`.
    func add(_ pending: Pending) -> Int {
        state.withLock { state in
            state.pending.append(pending)
            return state.oldest + state.pending.count - 1
        }
    }

    /// Removes and returns the oldest publish, which the answer with `requestID` is for; `nil` if the answer is for
    /// another one.
    func answered(requestID: String?) -> Pending? {
        state.withLock { state in
            guard requestID == "\(state.oldest)", let pending = state.pending.popFirst() else { return nil }
            state.oldest += 1
            return pending
        }
    }

    func refused(code: String) {
        state.withLock { $0.refusal = code }
    }

    /// Records that no further answer will arrive.
    func breakOff() {
        state.withLock { $0.isBroken = true }
    }

    var isFull: Bool { state.withLock { $0.pending.count >= Self.limit } }

    var isEmpty: Bool { state.withLock { $0.pending.isEmpty } }

    /// Whether nothing more may be sent on this connection.
    var isOver: Bool { state.withLock { $0.isBroken || $0.refusal != nil } }

    var isRefused: Bool { state.withLock { $0.refusal != nil } }

    var isBroken: Bool { state.withLock { $0.isBroken } }

    /// How many messages are unanswered.
    var unanswered: Int { state.withLock { $0.pending.reduce(0) { $0 + $1.count } } }
}
