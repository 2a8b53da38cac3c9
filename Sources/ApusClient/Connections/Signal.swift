import Synchronization

/// An event that a task waits for.
///
/// `raise` is remembered until a task waits, so a task that checks its condition before it waits misses nothing. A wait
/// ends early if its task is cancelled, and may end without a reason, so the task must check its condition again.
final class Signal: Sendable {
    private struct State {
        var isRaised = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    func raise() {
        let waiters = state.withLock { state in
            if state.waiters.isEmpty { state.isRaised = true }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    // Checked under the lock: a later cancellation finds the waiter in the list.
                    if state.isRaised || Task.isCancelled {
                        state.isRaised = false
                        return true
                    }
                    state.waiters.append(continuation)
                    return false
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            raise()
        }
    }
}
