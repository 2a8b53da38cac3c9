import Synchronization

/// A future value or error. Only the first `complete` counts.
final class OneShot<Value: Sendable>: Sendable {
    private struct State {
        var result: Result<Value, ClientError>?
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    func complete(_ result: Result<Value, ClientError>) {
        let waiters = state.withLock { state in
            if state.result == nil { state.result = result }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Waits for the value. Throws `cancelled` if the waiting task is cancelled; the value may still come later.
    func value() async throws(ClientError) -> Value {
        while true {
            if let result = state.withLock({ $0.result }) { return try result.get() }
            if Task.isCancelled { throw ClientError(.cancelled, "cancelled") }
            await wait()
        }
    }

    private func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    if state.result != nil || Task.isCancelled { return true }
                    state.waiters.append(continuation)
                    return false
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            let waiters = state.withLock { state in
                defer { state.waiters = [] }
                return state.waiters
            }
            for waiter in waiters { waiter.resume() }
        }
    }
}
