import ApusClient
import NIOCore
import Synchronization

/// The publishes of one connection that are not answered yet, oldest first; at most `limit`.
///
/// The task that sends adds, the one that receives takes; a leaf lock guards it.
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
        /// The number of the oldest; the `request_id` it was sent with.
        var oldest = 0
        var isBroken = false
        var refusal: String?
    }

    private let state = Mutex(State())

    /// Adds a publish and gives its `request_id`.
    func add(_ pending: Pending) -> Int {
        state.withLock { state in
            state.pending.append(pending)
            return state.oldest + state.pending.count - 1
        }
    }

    /// Takes the oldest, which an answer with `requestID` is for; nil when it is not the oldest's.
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

    /// No further answer comes.
    func breakOff() {
        state.withLock { $0.isBroken = true }
    }

    var isFull: Bool { state.withLock { $0.pending.count >= Self.limit } }

    var isEmpty: Bool { state.withLock { $0.pending.isEmpty } }

    /// Whether nothing more is to be sent on this connection.
    var isOver: Bool { state.withLock { $0.isBroken || $0.refusal != nil } }

    var isBroken: Bool { state.withLock { $0.isBroken } }

    /// How many messages nobody answered.
    var unanswered: Int { state.withLock { $0.pending.reduce(0) { $0 + $1.count } } }
}
