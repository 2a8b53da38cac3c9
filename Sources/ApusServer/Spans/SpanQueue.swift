import DequeModule
import NIOConcurrencyHelpers

/// Spans that wait for the collector. At its limit, new ones are dropped and counted: nobody ever waits for it.
final class SpanQueue: Sendable {
    /// What became of spans.
    struct Figures: Sendable, Equatable {
        var exported: UInt64 = 0
        /// The queue was full.
        var droppedQueue: UInt64 = 0
        /// The collector could not be reached, or did not take them.
        var droppedExport: UInt64 = 0
        /// Spans that wait now.
        var waiting = 0
    }

    private struct State {
        var spans = Deque<EndedSpan>()
        var figures = Figures()
    }

    private let limit: Int
    private let state = NIOLockedValueBox(State())
    /// An element for each time that spans should go: at the latest when ``SpanExporter/batch`` wait.
    let wakeups: AsyncStream<Void>
    private let wakeup: AsyncStream<Void>.Continuation

    init(limit: Int) {
        self.limit = limit
        (wakeups, wakeup) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    var figures: Figures {
        state.withLockedValue { state in
            var figures = state.figures
            figures.waiting = state.spans.count
            return figures
        }
    }

    func add(_ span: EndedSpan) {
        let isDue = state.withLockedValue { state in
            guard state.spans.count < limit else {
                state.figures.droppedQueue += 1
                return false
            }
            state.spans.append(span)
            return state.spans.count == min(SpanExporter.batch, limit)
        }
        if isDue { wake() }
    }

    func wake() { wakeup.yield() }

    /// Takes the oldest spans.
    func take(upTo count: Int) -> [EndedSpan] {
        state.withLockedValue { state in
            let taken = Array(state.spans.prefix(count))
            state.spans.removeFirst(taken.count)
            return taken
        }
    }

    /// Puts spans back that were taken, and for which there was no time.
    func putBack(_ spans: [EndedSpan]) {
        state.withLockedValue { $0.spans.prepend(contentsOf: spans) }
    }

    /// Notes what became of spans that were taken.
    func settle(exported: Int, dropped: Int) {
        state.withLockedValue { state in
            state.figures.exported += UInt64(exported)
            state.figures.droppedExport += UInt64(dropped)
        }
    }
}
