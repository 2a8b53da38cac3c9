import NIOCore
import Synchronization

/// The deliveries that have arrived for a subscription and wait for the consumer, and the consumer's progress.
///
/// The sessions of the subscription's feeds fill the buffer, and the consumer empties it. One leaf lock guards it. The
/// buffer is bounded by messages and bytes: when it is full, its session waits, which stops the reading of the socket.
///
/// ```
///        handled        with the consumer      waiting here              at the server
///  ──────────────────┬────────────────────┬────────────────────────┬───────────────────────▶
///   `positions`: what │ taken, the next    │ at most `limit` items, │ from the feed's position
///   a restart resumes │ not yet asked for  │ kept over a reconnect  │ on, also after a reconnect
/// ```
final class EventBuffer: Sendable {
    struct Item: Sendable {
        let delivery: ApusClient.Delivery
        /// The index of the item's feed in the subscription.
        let feed: Int
        /// The feed's position once this item is handled.
        let position: ApusClient.Position?

        /// The approximate memory use in bytes: two texts for an event, plus overhead.
        var byteCount: Int {
            128 + (delivery.event.map { $0.message.text.utf8.count + $0.payload.text.utf8.count } ?? 0)
        }
    }

    private struct State {
        var items: CircularBuffer<Item> = []
        var bytes = 0
        var isFull = false
        var isFinished = false
        var isAbandoned = false
        var failure: ClientError?
        /// How many feeds may still deliver items.
        var openFeeds: Int
        /// The last handled position of each feed.
        var handled: [ApusClient.Position?]
        /// The items that the consumer has taken but not handled yet.
        var taken: [Item] = []
    }

    private let state: Mutex<State>
    private let news = Signal()
    private let room = Signal()
    private let limit: Int
    private let byteLimit: Int

    init(feeds: Int, limit: Int, byteLimit: Int) {
        state = Mutex(State(openFeeds: feeds, handled: Array(repeating: nil, count: feeds)))
        self.limit = max(1, limit)
        self.byteLimit = max(1, byteLimit)
    }

    // MARK: Filling

    /// Adds an item. Returns `false` and adds nothing if the buffer is full and the item is not forced in.
    func push(_ item: Item, isForced: Bool = false) -> Bool {
        let isTaken = state.withLock { state in
            guard !state.isAbandoned, !state.isFinished else { return true }
            state.isFull = state.items.count >= limit || state.bytes >= byteLimit
            guard !state.isFull || isForced else { return false }
            state.items.append(item)
            state.bytes += item.byteCount
            return true
        }
        if isTaken { news.raise() }
        return isTaken
    }

    /// Waits until there may be room.
    func waitForRoom() async {
        await room.wait()
    }

    /// Ends a wait for room even if there is none.
    func stopWaiting() {
        room.raise()
    }

    /// Sets a feed's position before its first item.
    func start(feed: Int, at position: ApusClient.Position?) {
        state.withLock { state in
            if state.handled[feed] == nil { state.handled[feed] = position }
        }
    }

    /// Records that one feed delivers nothing more. With the last feed, the buffer ends.
    func endFeed() {
        let isLast = state.withLock { state in
            state.openFeeds -= 1
            return state.openFeeds == 0
        }
        if isLast { finish() }
    }

    /// Ends the buffer, normally or with an error.
    func finish(_ failure: ClientError? = nil) {
        state.withLock { state in
            if !state.isFinished { state.failure = failure }
            state.isFinished = true
        }
        news.raise()
        room.raise()
    }

    /// Records that no consumer is left.
    func abandon() {
        state.withLock { state in
            state.isAbandoned = true
            state.items = []
            state.bytes = 0
        }
        room.raise()
    }

    // MARK: Emptying

    /// Waits for the first item, and takes at most `limit` items; returns none at the end. Items taken before count as
    /// handled.
    func take(limit: Int) async throws(ClientError) -> [ApusClient.Delivery] {
        handleTaken()
        while true {
            if let taken = try takeNow(limit: limit) { return taken }
            if Task.isCancelled { throw ClientError(.cancelled, "cancelled") }
            await news.wait()
        }
    }

    /// Marks the taken items as handled.
    func handleTaken() {
        state.withLock { state in
            for item in state.taken where item.position != nil { state.handled[item.feed] = item.position }
            state.taken = []
        }
    }

    private func takeNow(limit: Int) throws(ClientError) -> [ApusClient.Delivery]? {
        let (result, hasRoom) = state.withLock { state -> (Result<[ApusClient.Delivery]?, ClientError>, Bool) in
            guard !state.items.isEmpty else {
                if let failure = state.failure { return (.failure(failure), false) }
                return (.success(state.isFinished ? [] : nil), false)
            }
            let taken = Array(state.items.prefix(limit))
            state.items.removeFirst(taken.count)
            state.bytes -= taken.reduce(0) { $0 + $1.byteCount }
            state.taken = taken
            let hasRoom = state.isFull && state.items.count <= self.limit / 2 && state.bytes <= byteLimit / 2
            if hasRoom { state.isFull = false }
            return (.success(taken.map(\.delivery)), hasRoom)
        }
        if hasRoom { room.raise() }
        return try result.get()
    }

    /// The last handled position of each feed. A new subscription can resume there.
    var positions: [ApusClient.Position?] {
        state.withLock(\.handled)
    }
}
