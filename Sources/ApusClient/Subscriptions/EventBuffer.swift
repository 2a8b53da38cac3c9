import NIOCore
import Synchronization

/// What arrived for a subscription and was not taken yet, and how far the consumer has come.
///
/// Filled by the sessions of its feeds, emptied by the consumer; one leaf lock guards it. Bounded by messages and
/// bytes: a full buffer takes no more, and its session waits, which stops the reading of the socket.
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
        /// Which of the subscription's feeds it is from.
        let feed: Int
        /// Where that feed stands once this is handled.
        let position: ApusClient.Position?

        /// About what it holds in memory: two texts for an event, and what is around them.
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
        /// How many feeds may still bring something.
        var openFeeds: Int
        /// By feed: what the consumer has handled.
        var handled: [ApusClient.Position?]
        /// What it took and is busy with.
        var taken: [Item] = []
    }

    private let state: Mutex<State>
    private let news = Wakeup()
    private let room = Wakeup()
    private let limit: Int
    private let byteLimit: Int

    init(feeds: Int, limit: Int, byteLimit: Int) {
        state = Mutex(State(openFeeds: feeds, handled: Array(repeating: nil, count: feeds)))
        self.limit = max(1, limit)
        self.byteLimit = max(1, byteLimit)
    }

    // MARK: Filling

    /// Adds an item; false, and nothing added, when it is full and the item is not forced in.
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

    /// Ends a wait for room, there being none.
    func stopWaiting() {
        room.raise()
    }

    /// The feed stands here before its first item.
    func start(feed: Int, at position: ApusClient.Position?) {
        state.withLock { state in
            if state.handled[feed] == nil { state.handled[feed] = position }
        }
    }

    /// One feed brings nothing more; with the last one all ends.
    func endFeed() {
        let isLast = state.withLock { state in
            state.openFeeds -= 1
            return state.openFeeds == 0
        }
        if isLast { finish() }
    }

    /// No more will come: normally, or because of an error.
    func finish(_ failure: ClientError? = nil) {
        state.withLock { state in
            if !state.isFinished { state.failure = failure }
            state.isFinished = true
        }
        news.raise()
        room.raise()
    }

    /// Nobody will take anything any more.
    func abandon() {
        state.withLock { state in
            state.isAbandoned = true
            state.items = []
            state.bytes = 0
        }
        room.raise()
    }

    // MARK: Emptying

    /// Takes what is there, at most `limit`, waiting for the first; none at the end. What was taken before is handled.
    func take(limit: Int) async throws(ClientError) -> [ApusClient.Delivery] {
        handleTaken()
        while true {
            if let taken = try takeNow(limit: limit) { return taken }
            if Task.isCancelled { throw ClientError(.cancelled, "cancelled") }
            await news.wait()
        }
    }

    /// The consumer is done with what it took.
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

    /// By feed: what the consumer has handled, which is what a new subscription resumes after.
    var positions: [ApusClient.Position?] {
        state.withLock(\.handled)
    }
}
