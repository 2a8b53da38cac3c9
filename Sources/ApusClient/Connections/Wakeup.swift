import Synchronization

/// Something that happened and that a task waits for.
///
/// `raise` is remembered until somebody waits, so a waiter that looks before it waits misses nothing. Waits end early
/// when their task is cancelled and may end without a reason: whoever waits looks again.
final class Wakeup: Sendable {
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
                    // Asked under the lock: a cancellation after this finds the waiter in the list.
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
