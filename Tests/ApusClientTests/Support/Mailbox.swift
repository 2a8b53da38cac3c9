import Synchronization

@testable import ApusClient

/// Things that happen in one task and are waited for in another.
final class Mailbox<Element: Sendable>: Sendable {
    struct Ended: Error {}

    private struct State {
        var elements: [Element] = []
        var isFinished = false
    }

    private let state = Mutex(State())
    private let news = Signal()

    func put(_ element: Element) {
        state.withLock { $0.elements.append(element) }
        news.raise()
    }

    func finish() {
        state.withLock { $0.isFinished = true }
        news.raise()
    }

    /// The oldest one that nobody took; throws `Ended` when there will be none.
    func next() async throws -> Element {
        while true {
            let (element, isFinished) = state.withLock { state in
                (state.elements.isEmpty ? nil : state.elements.removeFirst(), state.isFinished)
            }
            if let element { return element }
            if isFinished { throw Ended() }
            try Task.checkCancellation()
            await news.wait()
        }
    }
}
