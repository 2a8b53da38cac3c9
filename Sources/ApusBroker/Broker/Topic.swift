public import ApusProtocol
import NIOConcurrencyHelpers

/// What came of a publish.
public enum PublishOutcome: Sendable, Equatable {
    /// The publication is in the log at that offset.
    case published(Offset)
    /// A subscriber with the throttle policy is at its bound; the hub is told when there is room.
    case throttled
    /// The topic is gone.
    case deleted
}

/// A named log and the hubs that read it.
///
/// Shared by all event loops. Everything mutable is under one leaf lock: nothing is called while it is held but the
/// log's own code. A hub appears here as a ``Reader``, whatever the number of its subscriptions, so a publish costs the
/// same for one subscriber as for a thousand.
public final class Topic: Sendable {
    public let name: String
    /// The frames of this topic's events, and its name as JSON.
    public let template: EventTemplate
    let nameBytes: [UInt8]
    private let state: NIOLockedValueBox<State>

    /// One hub that has subscriptions here.
    fileprivate struct Reader {
        let mailbox: HubMailbox
        /// Where the hub keeps its side of this topic.
        let slot: Int
        var subscriptions: Int
        /// The oldest offset one of its subscriptions still has to read.
        var low: Offset
        /// Publishing waits while the head is not below this: the throttling subscription nearest to its bound.
        var gate: Offset
        /// Whether the hub knows already that there is something to read.
        var isNotified: Bool
    }

    fileprivate struct State {
        var log: TopicLog
        var readers: [Reader] = []
        var waiting: [HubMailbox] = []
        var isDeleted = false

        var isThrottled: Bool {
            readers.contains { $0.gate != .max && (log.head >= $0.gate || log.bytes > log.limits.bytes) }
        }
    }

    init(name: String, limits: TopicLog.Limits) {
        self.name = name
        let template = EventTemplate(topic: name)
        self.template = template
        nameBytes = Array(name.utf8)
        state = NIOLockedValueBox(State(log: TopicLog(template: template, limits: limits)))
    }

    /// How many subscriptions there are, over all connections.
    public var subscriberCount: Int {
        state.withLockedValue { state in state.readers.reduce(0) { $0 + $1.subscriptions } }
    }

    /// How many messages were published since the topic was made.
    public var publishedCount: UInt64 {
        state.withLockedValue { $0.log.head - 1 }
    }

    /// Whether the bound in bytes is what makes publishers wait.
    var isFull: Bool {
        state.withLockedValue { $0.log.bytes > $0.log.limits.bytes }
    }

    /// Appends `message`, a JSON object, and adds the hubs that must be told to `wakeups`.
    func publish(
        _ message: UnsafeRawBufferPointer,
        time: Timestamp,
        by publisher: HubMailbox?,
        wakeups: inout [Wakeup]
    ) -> PublishOutcome {
        state.withLockedValue { state in
            guard !state.isDeleted else { return .deleted }
            if state.isThrottled {
                if let publisher, !state.waiting.contains(where: { $0 === publisher }) {
                    state.waiting.append(publisher)
                }
                return .throttled
            }
            let offset = state.log.append(message, time: time)
            for index in state.readers.indices where !state.readers[index].isNotified {
                state.readers[index].isNotified = true
                wakeups.append(Wakeup(mailbox: state.readers[index].mailbox, slot: state.readers[index].slot))
            }
            // Readers trim when they have read; one that is busy must not let the log outgrow its bound meanwhile.
            if state.readers.isEmpty || state.log.bytes > state.log.limits.bytes { state.trim() }
            return .published(offset)
        }
    }

    /// What a hub that reads the topic sees of its log.
    struct View {
        /// The next offset to be published.
        let head: Offset
        /// The newest batch, if the log has any.
        let newest: Batch?
        let isDeleted: Bool
    }

    /// Adds a subscription of the hub and places its cursor `lastN` publications back, as far as history reaches.
    ///
    /// - Returns: `nil` when the topic is gone.
    func attach(
        _ mailbox: HubMailbox,
        slot: Int,
        lastN: Int,
        isNew: Bool,
        throttlesAt queue: Int?
    ) -> (cursor: Offset, view: View)? {
        state.withLockedValue { state in
            guard !state.isDeleted else { return nil }
            state.log.seal()
            let head = state.log.head
            let available = head - state.log.firstOfHistory
            let cursor = head - min(UInt64(max(lastN, 0)), available)
            let gate = queue.map { head + UInt64($0) } ?? .max
            if let index = state.readers.firstIndex(where: { $0.mailbox === mailbox }) {
                state.readers[index].subscriptions += isNew ? 1 : 0
                state.readers[index].low = min(state.readers[index].low, cursor)
                state.readers[index].gate = min(state.readers[index].gate, gate)
            } else {
                state.readers.append(
                    Reader(mailbox: mailbox, slot: slot, subscriptions: 1, low: cursor, gate: gate, isNotified: false)
                )
            }
            return (cursor, View(head: head, newest: state.log.newest, isDeleted: false))
        }
    }

    /// Takes subscriptions of the hub away; the hub's entry goes with its last one.
    func detach(_ mailbox: HubMailbox, count: Int) {
        let waiting = state.withLockedValue { state -> [HubMailbox] in
            guard let index = state.readers.firstIndex(where: { $0.mailbox === mailbox }) else { return [] }
            state.readers[index].subscriptions -= count
            guard state.readers[index].subscriptions <= 0 else { return [] }
            state.readers.remove(at: index)
            state.log.seal()
            state.trim()
            return state.takeWaitingIfOpen()
        }
        for mailbox in waiting { mailbox.resumePublishers(of: self) }
    }

    /// Seals what was published, so that the hub can read it. The hub calls ``endDrain(_:low:gate:)`` when it has.
    func beginDrain(_ mailbox: HubMailbox) -> View {
        state.withLockedValue { state in
            state.log.seal()
            if let index = state.readers.firstIndex(where: { $0.mailbox === mailbox }) {
                state.readers[index].isNotified = false
            }
            return View(head: state.log.head, newest: state.log.newest, isDeleted: state.isDeleted)
        }
    }

    /// Says how far the hub's subscriptions have come: what they all have read may go, and publishers may go on.
    func endDrain(_ mailbox: HubMailbox, low: Offset, gate: Offset) {
        let waiting = state.withLockedValue { state -> [HubMailbox] in
            if let index = state.readers.firstIndex(where: { $0.mailbox === mailbox }) {
                state.readers[index].low = low
                state.readers[index].gate = gate
            }
            state.trim()
            return state.takeWaitingIfOpen()
        }
        for mailbox in waiting { mailbox.resumePublishers(of: self) }
    }

    /// The batch with `offset` for a subscription that lags, or the oldest offset still kept when it is gone.
    func batch(at offset: Offset) -> Result<Batch, MissingOffset> {
        state.withLockedValue { state in
            if let batch = state.log.batch(at: offset) { return .success(batch) }
            return .failure(MissingOffset(firstKept: state.log.firstKept))
        }
    }

    /// An offset that the bound in bytes has pushed out of the log.
    struct MissingOffset: Error {
        let firstKept: Offset
    }

    /// Ends the topic: publishes are refused from now on, and every hub is told to finish its subscriptions.
    func delete() {
        let (readers, waiting) = state.withLockedValue { state in
            state.isDeleted = true
            state.log.seal()
            for index in state.readers.indices { state.readers[index].isNotified = true }
            if state.readers.isEmpty { state.log.removeAll() }
            return (state.readers, state.takeWaitingIfOpen())
        }
        for reader in readers { reader.mailbox.post([reader.slot]) }
        for mailbox in waiting { mailbox.resumePublishers(of: self) }
    }
}

extension Topic.State {
    fileprivate mutating func trim() {
        guard !(isDeleted && readers.isEmpty) else { return log.removeAll() }
        let low = readers.reduce(log.head) { min($0, $1.low) }
        let isThrottling = readers.contains { $0.gate != .max }
        log.trim(needed: low, mayDropNeeded: !isThrottling)
    }

    /// The hubs whose publishers wait, when they need not wait any more.
    fileprivate mutating func takeWaitingIfOpen() -> [HubMailbox] {
        guard !waiting.isEmpty, isDeleted || !isThrottled else { return [] }
        defer { waiting = [] }
        return waiting
    }
}

/// A hub that has something new to read, and where it keeps that topic.
struct Wakeup {
    let mailbox: HubMailbox
    let slot: Int
}
