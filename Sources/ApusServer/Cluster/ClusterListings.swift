import ApusCluster
import NIOConcurrencyHelpers

/// Subscribers on other nodes: asks for them, and answers those who ask.
///
/// An answer that is not there in time is left out.
final class ClusterListings: Sendable {
    /// How long answers are waited for.
    private static let patience = Duration.seconds(1)
    /// Requests that wait for answers at once; a further one gets none.
    private static let mostAsked = 64
    /// Requests of others that are answered at once; further ones are not.
    private static let mostAnswered = 4

    typealias Answerer = @Sendable (ListingRequest) async -> [ListingPart.Row]

    /// What others have answered.
    struct Answer: Sendable {
        var rows: [(node: UInt64, row: ListingPart.Row)] = []
        /// Whether all have.
        var isComplete = true
    }

    private struct Asked {
        let limit: Int
        var waiting: [UInt64: Int]
        var answer = Answer()
        let continuation: CheckedContinuation<Answer, Never>
    }

    private struct State {
        var last: UInt64 = 0
        var asked: [UInt64: Asked] = [:]
        var answering = 0
        var answerer: Answerer?
    }

    private let id: UInt64
    private let send: @Sendable (PeerMessage.Content) -> Void
    private let state = NIOLockedValueBox(State())

    init(id: UInt64, send: @escaping @Sendable (PeerMessage.Content) -> Void) {
        (self.id, self.send) = (id, send)
    }

    /// Who answers others; `nil` for nobody.
    func answer(by answerer: Answerer?) { state.withLockedValue { $0.answerer = answerer } }

    // MARK: Asking

    /// Asks nodes for the first of their subscribers.
    func ask(
        _ nodes: [UInt64],
        topic: String?,
        order: String,
        limit: Int,
        search: String?
    ) async -> Answer {
        guard !nodes.isEmpty else { return Answer() }
        let number: UInt64? = state.withLockedValue { state in
            guard state.asked.count < Self.mostAsked else { return nil }
            state.last += 1
            return state.last
        }
        guard let number else { return Answer(isComplete: false) }
        let timer = Task { [weak self] in
            try? await Task.sleep(for: Self.patience)
            self?.end(number)
        }
        defer { timer.cancel() }
        return await withCheckedContinuation { continuation in
            let waiting = Dictionary(nodes.map { ($0, 0) }, uniquingKeysWith: +)
            state.withLockedValue { state in
                state.asked[number] = Asked(limit: limit, waiting: waiting, continuation: continuation)
            }
            send(.list(ListingRequest(number: number, topic: topic, order: order, limit: limit, search: search)))
        }
    }

    private func end(_ number: UInt64) {
        let asked = state.withLockedValue { $0.asked.removeValue(forKey: number) }
        guard var answer = asked?.answer else { return }
        answer.isComplete = asked?.waiting.isEmpty ?? true
        asked?.continuation.resume(returning: answer)
    }

    /// Takes some of an answer.
    func take(_ part: ListingPart, from node: UInt64) {
        guard part.to == id else { return }
        let isOver = state.withLockedValue { state in
            guard let asked = state.asked[part.number], let count = asked.waiting[node] else { return false }
            // Those that are there, and those that are gone.
            let rows = part.rows.prefix(max(2 * asked.limit - count, 0))
            state.asked[part.number]?.answer.rows += rows.map { (node, $0) }
            state.asked[part.number]?.waiting[node] = part.isLast ? nil : count + rows.count
            return state.asked[part.number]?.waiting.isEmpty ?? false
        }
        if isOver { end(part.number) }
    }

    // MARK: Answering

    func answer(_ request: ListingRequest, of node: UInt64) {
        guard node != id else { return }
        let answerer: Answerer? = state.withLockedValue { state in
            guard state.answering < Self.mostAnswered, let answerer = state.answerer else { return nil }
            state.answering += 1
            return answerer
        }
        guard let answerer else { return }
        Task { [self] in
            let rows = await answerer(request)
            for part in ListingPart.parts(rows, to: node, number: request.number) { send(.listed(part)) }
            state.withLockedValue { $0.answering -= 1 }
        }
    }
}
