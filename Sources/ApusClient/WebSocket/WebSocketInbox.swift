import NIOConcurrencyHelpers
import NIOCore

/// The messages that have arrived and wait for a receiver.
///
/// The connection's event loop fills the inbox, and any task may empty it. One leaf lock guards it. The inbox is
/// bounded by messages and bytes: at either limit `push` asks the reader to stop, and reading resumes when both are
/// down to half their limits. Messages of the socket read that is under way still enter, so the inbox exceeds its
/// limits by at most that.
final class WebSocketInbox: Sendable {
    private struct State {
        var messages: CircularBuffer<WebSocketMessage> = []
        var bytes = 0
        var isPaused = false
        var isFinished = false
        var failure: ClientError?
        var waiters: [CheckedContinuation<Void, Never>] = []
        var resume: (@Sendable () -> Void)?

        mutating func takeWaiters() -> [CheckedContinuation<Void, Never>] {
            defer { waiters = [] }
            return waiters
        }
    }

    private let state = NIOLockedValueBox(State())
    private let messageLimit: Int
    private let byteLimit: Int

    init(messageLimit: Int, byteLimit: Int) {
        self.messageLimit = messageLimit
        self.byteLimit = byteLimit
    }

    /// Sets the closure that resumes reading. Called once, before the first `push`.
    func onResume(_ resume: @escaping @Sendable () -> Void) {
        state.withLockedValue { $0.resume = resume }
    }

    /// Adds a message. Returns `false` if reading must stop until `onResume`'s closure is called.
    func push(_ message: WebSocketMessage) -> Bool {
        let (goOn, waiters) = state.withLockedValue { state -> (Bool, [CheckedContinuation<Void, Never>]) in
            guard !state.isFinished else { return (true, []) }
            state.messages.append(message)
            state.bytes += message.byteCount
            // The inbox stays paused until `take` resumes it. Messages in between come from the read that is under way.
            if state.messages.count >= messageLimit || state.bytes >= byteLimit { state.isPaused = true }
            return (!state.isPaused, state.takeWaiters())
        }
        for waiter in waiters { waiter.resume() }
        return goOn
    }

    /// Ends the stream after the messages in it, normally or with an error.
    func finish(failure: ClientError? = nil) {
        let waiters = state.withLockedValue { state in
            if !state.isFinished {
                state.isFinished = true
                state.failure = failure
                // The closure holds the handler, which holds this inbox.
                state.resume = nil
            }
            return state.takeWaiters()
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Waits for messages and takes at most `limit` of them; returns none at the end.
    func take(limit: Int) async throws(ClientError) -> [WebSocketMessage] {
        while true {
            if let taken = try takeNow(limit: limit) { return taken }
            await waitForNews()
            if Task.isCancelled { throw ClientError(.cancelled, "cancelled") }
        }
    }

    private func takeNow(limit: Int) throws(ClientError) -> [WebSocketMessage]? {
        let (result, resume) = state.withLockedValue {
            state -> (Result<[WebSocketMessage]?, ClientError>, (@Sendable () -> Void)?) in
            guard !state.messages.isEmpty else {
                if let failure = state.failure { return (.failure(failure), nil) }
                return (.success(state.isFinished ? [] : nil), nil)
            }
            let taken = Array(state.messages.prefix(limit))
            state.messages.removeFirst(taken.count)
            state.bytes -= taken.reduce(0) { $0 + $1.byteCount }
            guard state.isPaused, state.messages.count <= messageLimit / 2, state.bytes <= byteLimit / 2 else {
                return (.success(taken), nil)
            }
            state.isPaused = false
            return (.success(taken), state.resume)
        }
        resume?()
        return try result.get()
    }

    private func waitForNews() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isReady = state.withLockedValue { state in
                    // Checked under the lock: a later cancellation finds the waiter in the list.
                    if !state.messages.isEmpty || state.isFinished || Task.isCancelled { return true }
                    state.waiters.append(continuation)
                    return false
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            // Wakes every waiter. Waiters that were not cancelled find nothing and wait again.
            let waiters = state.withLockedValue { $0.takeWaiters() }
            for waiter in waiters { waiter.resume() }
        }
    }
}
