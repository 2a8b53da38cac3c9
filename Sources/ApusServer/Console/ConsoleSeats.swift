import NIOConcurrencyHelpers

/// The consoles that are open. Each has a seat, and is told when there is a new sample.
final class ConsoleSeats: Sendable {
    private struct State {
        var lastID = 0
        var continuations: [Int: AsyncStream<Void>.Continuation] = [:]
        /// How many seats each client has.
        var seatsOf: [String: Int] = [:]
        var isOver = false
    }

    private let state = NIOLockedValueBox(State())

    var count: Int { state.withLockedValue { $0.continuations.count } }

    /// - Parameters:
    ///   - limit: how many there may be. One client may have a quarter of that, and at least four.
    ///   - client: who asks: its id, or its address.
    /// - Returns: `nil` if there are so many.
    func take(limit: Int, client: String) -> ConsoleSeat? {
        // A console that is still busy with the last sample misses the next ones: nothing queues up for it.
        let (ticks, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let taken: (id: Int, isOver: Bool)? = state.withLockedValue { state in
            guard state.continuations.count < limit, state.seatsOf[client, default: 0] < max(4, limit / 4) else {
                return nil
            }
            state.seatsOf[client, default: 0] += 1
            state.lastID += 1
            state.continuations[state.lastID] = continuation
            return (state.lastID, state.isOver)
        }
        guard let taken else { return nil }
        if taken.isOver { continuation.finish() }
        return ConsoleSeat(ticks: ticks, id: taken.id, client: client, seats: self)
    }

    func tick() {
        for continuation in state.withLockedValue({ Array($0.continuations.values) }) { continuation.yield() }
    }

    /// Ends all of them, and those that still come.
    func end() {
        let all = state.withLockedValue { state in
            state.isOver = true
            return Array(state.continuations.values)
        }
        for continuation in all { continuation.finish() }
    }

    fileprivate func leave(_ id: Int, _ client: String) {
        state.withLockedValue { state in
            state.continuations[id] = nil
            state.seatsOf[client, default: 1] -= 1
            if state.seatsOf[client] == 0 { state.seatsOf[client] = nil }
        }
    }
}

/// The place of one console. It is free again when nobody refers to it any more.
final class ConsoleSeat: Sendable {
    /// An element after each sample. Ends with the server.
    let ticks: AsyncStream<Void>
    private let id: Int
    private let client: String
    private let seats: ConsoleSeats

    fileprivate init(ticks: AsyncStream<Void>, id: Int, client: String, seats: ConsoleSeats) {
        self.ticks = ticks
        self.id = id
        self.client = client
        self.seats = seats
    }

    deinit {
        seats.leave(id, client)
    }
}
