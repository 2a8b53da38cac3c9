public import ApusProtocol
import NIOConcurrencyHelpers

/// A named log and the hubs that read it.
///
/// Shared by all event loops. Everything mutable is under one leaf lock: nothing is called while it is held but the
/// log's own code. A hub appears here as a reader, whatever the number of its subscriptions, so a publish costs the
/// same for one subscriber as for a thousand.
public final class Topic: Sendable {
    public let name: String
    /// The frames of this topic's events, and its name as JSON.
    public let template: EventTemplate
    let nameBytes: [UInt8]
    /// Whether publishers wait for loops that are behind, and what is offered to a socket at once is not held against
    /// it.
    let isPaced: Bool
    let state: ContendedValueBox<TopicState>

    init(name: String, epoch: String, limits: MemoryBroker.Limits, settings: TopicSettings, reservations: Int = 0) {
        self.name = name
        let template = EventTemplate(topic: name, epoch: epoch)
        self.template = template
        nameBytes = Array(name.utf8)
        isPaced = limits.loopPace != nil
        state = ContendedValueBox(
            TopicState(template: template, limits: limits, settings: settings, reservations: reservations)
        )
    }

    /// Distinguishes this topic's offsets from those of another of the same name.
    public var epoch: String { template.epoch }

    // MARK: Publishing

    /// Appends `message`, a JSON object, and adds the hubs that must be told to `wakeups`.
    func publish(
        _ message: UnsafeRawBufferPointer,
        time: Timestamp,
        origin: UInt32,
        by publisher: HubMailbox?,
        wakeups: inout [Wakeup]
    ) -> PublishOutcome {
        state.withLockedValue { state in
            guard state.takesBareMessages else { return state.isDeleted ? .deleted : .needsPublication }
            if let obstacle = state.obstacle(to: publisher, wakeups: &wakeups) { return obstacle }
            let offset = state.log.append(message, time: time, origin: origin)
            state.published(1, bytes: message.count, time: time.steady, wakeups: &wakeups)
            return .published(PublishReceipt(offset: offset, subscribers: state.subscriptions))
        }
    }

    /// Appends all publications or none, but for those whose ids were published within the topic's window.
    func publish(
        _ publications: [Publication],
        time: Timestamp,
        origin: UInt32,
        by publisher: HubMailbox?,
        wakeups: inout [Wakeup]
    ) -> PublishOutcome {
        state.withLockedValue { state in
            guard !state.isDeleted else { return .deleted }
            if let obstacle = state.obstacle(to: publisher, wakeups: &wakeups) { return obstacle }
            var receipt = PublishReceipt(offset: 0, count: 0, subscribers: state.subscriptions)
            var bytes = 0
            for publication in publications {
                let (offset, isNew) = state.append(publication, time: time, origin: origin)
                if isNew {
                    if receipt.count == 0 { receipt.offset = offset }
                    receipt.count += 1
                    bytes += publication.message.count
                } else {
                    if receipt.count + receipt.duplicates == 0 { receipt.offset = offset }
                    receipt.duplicates += 1
                }
            }
            if receipt.count > 0 {
                state.published(receipt.count, bytes: bytes, time: time.steady, wakeups: &wakeups)
            }
            return .published(receipt)
        }
    }

    // MARK: Readers

    /// What a hub that reads the topic sees of its log.
    struct View {
        /// The next offset to be published.
        let head: Offset
        /// The newest batch, if the log has any.
        let newest: Batch?
        let isDeleted: Bool
    }

    /// A hub's subscription that is to be added, or placed anew.
    struct Attachment {
        let mailbox: HubMailbox
        let slot: Int
        let start: ReplayStart
        /// On the steady clock.
        let now: Int64
        let isNew: Bool
        /// For the throttle policy: how far behind the head it may be.
        let throttlesAt: Int?
        /// Whether it was promised when the topic was made: then it starts at the beginning.
        var claimsReservation = false
    }

    /// Where an attached subscription stands.
    struct Attached {
        let cursor: Offset
        let view: View
        var isRecovered: Bool?
        var missed: ClosedRange<Offset>?
    }

    /// Adds a subscription of the hub and places its cursor.
    ///
    /// - Returns: `nil` when the topic is gone.
    /// - Throws: ``BrokerError`` `.positionInFuture`.
    func attach(_ attachment: Attachment) throws(BrokerError) -> Attached? {
        try state.withLockedValue { state in
            Result { () throws(BrokerError) in try state.attach(attachment) }
        }.get()
    }

    /// Takes subscriptions of the hub away; the hub's entry goes with its last one.
    ///
    /// - Returns: the next offset to be published: what is before it and was not read is lost to them.
    func detach(_ mailbox: HubMailbox, count: Int) -> Offset {
        let (head, waiting) = state.withLockedValue { state in
            (state.log.head, state.detach(mailbox, count: count))
        }
        for mailbox in waiting { mailbox.resumePublishers(of: self) }
        return head
    }

    /// Gives up a subscription that was promised when the topic was made.
    func releaseReservation() -> Offset {
        let (head, waiting) = state.withLockedValue { state in
            state.reservations -= 1
            state.subscriptions -= 1
            state.log.seal()
            state.trim()
            return (state.log.head, state.takeWaitingIfOpen())
        }
        for mailbox in waiting { mailbox.resumePublishers(of: self) }
        return head
    }

    /// How far a hub's subscriptions have come, as a ``TopicState/Reader`` has it.
    struct Progress {
        var lowWaterMark: Offset
        var publishLimit = Offset.max
        var retainFrom = Offset.max
    }

    /// Seals what was published, so that the hub can read it. The hub calls ``endDrain(_:_:)`` when it has.
    func beginDrain(_ mailbox: HubMailbox) -> View {
        let (view, waiting) = state.withLockedValue { state in
            state.log.seal()
            state.noteLook(of: mailbox)
            return (state.view, state.takeWaitingIfOpen())
        }
        // While the hub delivers, publishers may go on.
        for mailbox in waiting { mailbox.resumePublishers(of: self) }
        return view
    }

    /// Says how far the hub's subscriptions have come: what they all have read may go, and publishers may go on.
    func endDrain(_ mailbox: HubMailbox, _ progress: Progress) {
        let waiting = state.withLockedValue { state -> [HubMailbox] in
            if let index = state.readers.firstIndex(where: { $0.mailbox === mailbox }) {
                state.readers[index].lowWaterMark = progress.lowWaterMark
                state.readers[index].publishLimit = progress.publishLimit
                state.readers[index].retainFrom = progress.retainFrom
                state.findLimits()
            }
            state.trim()
            return state.takeWaitingIfOpen()
        }
        for mailbox in waiting { mailbox.resumePublishers(of: self) }
    }

    /// The batch with `offset` for a subscription that lags, or the oldest offset still kept when it is gone.
    func batch(at offset: Offset) -> Result<Batch, MissingOffset> {
        state.withLockedValue { state in
            if let batch = state.log.sealedBatch(at: offset) { return .success(batch) }
            return .failure(MissingOffset(firstKept: state.log.firstKept))
        }
    }

    /// An offset that the bound in bytes has pushed out of the log.
    struct MissingOffset: Error {
        let firstKept: Offset
    }

    /// Refuses publishes from now on.
    func markDeleted() {
        state.withLockedValue { state in
            state.isDeleted = true
            state.takesBareMessages = false
        }
    }

    /// Ends a topic that is marked deleted: every hub is told to finish its subscriptions.
    func delete() {
        let (readers, waiting) = state.withLockedValue { state in
            state.log.seal()
            for index in state.readers.indices { state.readers[index].isNotified = true }
            if state.readers.isEmpty, state.reservations == 0 { state.log.removeAll() }
            return (state.readers, state.takeWaitingIfOpen())
        }
        for reader in readers { reader.mailbox.post([reader.slot]) }
        for mailbox in waiting { mailbox.resumePublishers(of: self) }
    }

    // MARK: Presence

    /// Has the hub told of subscriptions that come and go, or no longer.
    func watch(_ mailbox: HubMailbox, slot: Int, change: Int) {
        state.withLockedValue { state in
            if let index = state.watchers.firstIndex(where: { $0.mailbox === mailbox }) {
                state.watchers[index].count += change
                if state.watchers[index].count <= 0 { state.watchers.remove(at: index) }
            } else if change > 0 {
                state.watchers.append(TopicState.Watcher(mailbox: mailbox, slot: slot, count: change))
            }
        }
    }

    /// Tells the hubs that watch that a subscription has come or is gone.
    func announce(_ presence: Presence) {
        let watchers = state.withLockedValue { $0.watchers }
        for watcher in watchers { watcher.mailbox.post(presence, slot: watcher.slot) }
    }
}

/// Somebody's subscription that has begun or ended.
struct Presence {
    let hasJoined: Bool
    let clientID: String
    /// Which subscription it is: it is not told of itself.
    let subscription: UInt64
    /// Higher than that of all news before.
    let sequence: UInt64
}

/// A hub that has something new to read, and where it keeps that topic.
struct Wakeup {
    let mailbox: HubMailbox
    let slot: Int
}
