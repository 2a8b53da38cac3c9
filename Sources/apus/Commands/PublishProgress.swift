import Synchronization

/// What became of the messages so far; shared by the task that sends and the one that reads the answers.
final class PublishProgress: Sendable {
    struct Summary {
        let published: Int
        let refused: Int
        /// The refused lines as people read them: `lines 3, 7`.
        let refusedLines: String
        /// Why the first was refused.
        let firstReason: String?
    }

    private struct State {
        var published = 0
        var refused = 0
        /// Of the first refused messages only, so that a wholly wrong input does not fill the memory.
        var refusedLines: [Int] = []
        var firstReason: String?
        /// The lines without an answer, in the order in which they were sent.
        var open: [Int] = []
    }

    private static let linesNamed = 20
    private let state = Mutex(State())

    func sent(line: Int) {
        state.withLock { $0.open.append(line) }
    }

    /// The oldest unanswered message was taken: answers come in the order of the commands.
    func acked() {
        state.withLock { state in
            state.published += 1
            if !state.open.isEmpty { state.open.removeFirst() }
        }
    }

    /// A message was refused, by the server or before it was sent; without a line it is the oldest unanswered one.
    func refuse(line: Int?, reason: String) {
        state.withLock { state in
            let line = line ?? state.open.first ?? 0
            state.open.removeAll { $0 == line }
            state.refused += 1
            if state.refusedLines.count < Self.linesNamed { state.refusedLines.append(line) }
            if state.firstReason == nil { state.firstReason = reason }
        }
    }

    /// How many are published and which line is the first without an answer.
    var open: (published: Int, firstOpen: Int?) {
        state.withLock { ($0.published, $0.open.first) }
    }

    var summary: Summary {
        state.withLock { state in
            let lines = state.refusedLines.map(String.init).joined(separator: ", ")
            let more = state.refused - state.refusedLines.count
            return Summary(
                published: state.published,
                refused: state.refused,
                refusedLines: (state.refused == 1 ? "line " : "lines ") + lines + (more > 0 ? " and \(more) more" : ""),
                firstReason: state.firstReason.map { reason in
                    state.refused == 1 ? reason : "line \(state.refusedLines.first ?? 0): \(reason)"
                }
            )
        }
    }
}
