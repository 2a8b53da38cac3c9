import NIOConcurrencyHelpers
import NIOCore

/// What has come and waits for the script, which is the only one that takes it.
final class Mailbox<Element: Sendable>: Sendable {
    private struct State {
        var waiting: CircularBuffer<Element> = []
        var taker: (number: Int, continuation: CheckedContinuation<Element?, Never>)?
        var takers = 0
        var isFinished = false
    }

    private let limit: Int
    private let state = NIOLockedValueBox(State())

    /// - Parameter limit: how many may wait.
    init(limit: Int) {
        self.limit = limit
    }

    /// Returns whether there was room.
    func push(_ element: Element) -> Bool {
        let (taker, hasRoom) = state.withLockedValue { state -> (CheckedContinuation<Element?, Never>?, Bool) in
            if let taker = state.taker {
                state.taker = nil
                return (taker.continuation, true)
            }
            guard state.waiting.count < limit else { return (nil, false) }
            state.waiting.append(element)
            return (nil, true)
        }
        taker?.resume(returning: element)
        return hasRoom
    }

    /// Nothing more comes.
    func finish() {
        let taker = state.withLockedValue { state in
            state.isFinished = true
            defer { state.taker = nil }
            return state.taker?.continuation
        }
        taker?.resume(returning: nil)
    }

    /// The next one; `nil` after the end, or if none comes in time.
    func next(within limit: TimeAmount, on loop: any EventLoop) async -> Element? {
        await withCheckedContinuation { continuation in
            let (ready, number) = state.withLockedValue { state -> (Element??, Int) in
                if let first = state.waiting.popFirst() { return (.some(first), 0) }
                if state.isFinished { return (.some(nil), 0) }
                state.takers += 1
                state.taker = (state.takers, continuation)
                return (nil, state.takers)
            }
            if let ready { return continuation.resume(returning: ready) }
            loop.scheduleTask(in: limit) { self.giveUp(number) }
        }
    }

    private func giveUp(_ number: Int) {
        let taker = state.withLockedValue { state -> CheckedContinuation<Element?, Never>? in
            guard let taker = state.taker, taker.number == number else { return nil }
            state.taker = nil
            return taker.continuation
        }
        taker?.resume(returning: nil)
    }
}
