import NIOConcurrencyHelpers

/// The consoles that are open. Each has a seat, and is told when there is a new sample.
final class ConsoleSeats: Sendable {
    private struct State {
        var lastID = 0
        var continuations: [Int: AsyncStream<Void>.Continuation] = [:]
        var isOver = false
    }

    private let state = NIOLockedValueBox(State())

    var count: Int { state.withLockedValue { $0.continuations.count } }

    /// - Parameter limit: how many there may be.
    /// - Returns: `nil` if there are so many.
    func take(limit: Int) -> ConsoleSeat? {
        // A console that is still busy with the last sample misses the next ones: nothing queues up for it.
        let (ticks, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let taken: (id: Int, isOver: Bool)? = state.withLockedValue { state in
            guard state.continuations.count < limit else { return nil }
            state.lastID += 1
            state.continuations[state.lastID] = continuation
            return (state.lastID, state.isOver)
        }
        guard let taken else { return nil }
        if taken.isOver { continuation.finish() }
        return ConsoleSeat(ticks: ticks, id: taken.id, seats: self)
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

    fileprivate func leave(_ id: Int) {
        _ = state.withLockedValue { $0.continuations.removeValue(forKey: id) }
    }
}

/// The place of one console. It is free again when nobody refers to it any more.
final class ConsoleSeat: Sendable {
    /// An element after each sample. Ends with the server.
    let ticks: AsyncStream<Void>
    private let id: Int
    private let seats: ConsoleSeats

    fileprivate init(ticks: AsyncStream<Void>, id: Int, seats: ConsoleSeats) {
        self.ticks = ticks
        self.id = id
        self.seats = seats
    }

    deinit {
        seats.leave(id)
    }
}
