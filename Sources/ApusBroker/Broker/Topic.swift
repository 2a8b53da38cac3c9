package import ApusProtocol
import NIOConcurrencyHelpers

/// A named log and the hubs that read it.
///
/// All event loops share a topic. One lock guards all mutable state. While a thread holds the lock, it calls only the
/// log's own code, and takes only leaf locks (see ARCHITECTURE.md). A topic sees each hub as one reader, no matter how
/// many subscriptions the hub has. A publish therefore costs the same for one subscriber as for a thousand.
package final class Topic: Sendable {
    package let name: String
    /// Encodes this topic's event frames, and holds the topic's name as JSON.
    package let template: EventTemplate
    package let nameBytes: [UInt8]
    /// Whether the broker has a ``LoopPace``.
    ///
    /// Publishers then wait for loops that are behind, and a burst that a loop offers a socket does not count as lag
    /// while the socket still takes it.
    let isPaced: Bool
    let state: NIOLockedValueBox<TopicState>
    /// Identifies the topic in a journal; 0 without one.
    package let number: UInt32

    /// - Parameters:
    ///   - rate: how many messages may be published, unless the settings say otherwise.
    ///   - durability: what messages survive, unless the settings say otherwise. More than that is not possible.
    init(
        name: String,
        epoch: String,
        limits: MemoryBroker.Limits,
        rate: RateLimit? = nil,
        settings: TopicSettings,
        reservations: Int = 0,
        number: UInt32 = 0,
        durability: Durability = .memory
    ) {
        self.name = name
        self.number = number
        let template = EventTemplate(topic: name, epoch: epoch)
        self.template = template
        nameBytes = Array(name.utf8)
        isPaced = limits.loopPace != nil
        state = NIOLockedValueBox(
            TopicState(
                template: template,
                limits: limits,
                rate: rate,
                settings: settings,
                reservations: reservations,
                durability: durability
            )
        )
    }

    /// Tells this topic's offsets apart from the offsets of another topic with the same name.
    package var epoch: String { template.epoch }

    // MARK: Readers

    /// What a hub sees of the log when it reads the topic.
    struct View {
        /// The offset that the next publication gets.
        let head: Offset
        /// The newest sealed batch, if the log has one.
        let newest: Batch?
        let isDeleted: Bool
    }

    /// A subscription that a hub adds, or whose cursor it places again.
    struct Attachment {
        let mailbox: HubMailbox
        let slot: Int
        let start: ReplayStart
        /// In milliseconds on the steady clock.
        let now: Int64
        let isNew: Bool
        /// Under the throttle policy: how far the subscription may lag behind the head.
        let throttlesAt: UInt64?
        /// Whether the topic reserved this subscription when it was created. The cursor then starts at offset 1.
        var claimsReservation = false
    }

    /// Where an attached subscription starts.
    struct Attached {
        let cursor: Offset
        let view: View
        var isRecovered: Bool?
        var missed: ClosedRange<Offset>?
        /// Whether it starts with messages that are not in memory any more.
        var isArchived = false
        /// Of those, nothing from before this time is replayed, in milliseconds since 1970.
        var notBefore: Int64?
    }

    /// Adds a subscription of the hub and places its cursor.
    ///
    /// - Returns: `nil` when the topic is deleted.
    /// - Throws: ``BrokerError`` `.positionInFuture`.
    func attach(_ attachment: Attachment) throws(BrokerError) -> Attached? {
        try state.withLockedValue { state in
            Result { () throws(BrokerError) in try state.attach(attachment) }
        }.get()
    }

    /// Removes `count` subscriptions of the hub. Removes the hub's reader with its last subscription.
    ///
    /// - Returns: the next offset to be published. The removed subscriptions lose the messages before it that they have
    ///   not read.
    func detach(_ mailbox: HubMailbox, count: Int) -> Offset {
        let (head, waiting) = state.withLockedValue { state in
            (state.log.head, state.detach(mailbox, count: count))
        }
        for mailbox in waiting { mailbox.resumePublishers(of: self) }
        return head
    }

    /// Gives up a subscription that the topic reserved when it was created.
    ///
    /// - Returns: the next offset to be published.
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

    /// How far a hub's subscriptions have read. The fields are those of ``TopicState/Reader``.
    struct Progress {
        var lowWaterMark: Offset
        var publishLimit = Offset.max
        var retainFrom = Offset.max
        var archiveMark = Offset.max
    }

    /// Seals the open batch so that the hub can read it. After reading, the hub calls ``endDrain(_:_:)``.
    func beginDrain(_ mailbox: HubMailbox) -> View {
        let (view, waiting) = state.withLockedValue { state in
            state.log.seal()
            state.noteLook(of: mailbox)
            return (state.view, state.takeWaitingIfOpen())
        }
        // Publishers may continue while the hub delivers.
        for mailbox in waiting { mailbox.resumePublishers(of: self) }
        return view
    }

    /// Records how far the hub's subscriptions have read.
    ///
    /// The log may then drop what every subscription has read, and waiting publishers may continue.
    func endDrain(_ mailbox: HubMailbox, _ progress: Progress) {
        let waiting = state.withLockedValue { state -> [HubMailbox] in
            if let index = state.readers.firstIndex(where: { $0.mailbox === mailbox }) {
                state.readers[index].lowWaterMark = progress.lowWaterMark
                state.readers[index].retainFrom = progress.retainFrom
                state.readers[index].archiveMark = progress.archiveMark
                if state.readers[index].publishLimit != progress.publishLimit {
                    state.readers[index].publishLimit = progress.publishLimit
                    state.findLimits()
                }
            }
            state.trim()
            return state.takeWaitingIfOpen()
        }
        for mailbox in waiting { mailbox.resumePublishers(of: self) }
    }

    /// The batch that contains `offset`, or what there is instead when the log has dropped that batch.
    func batch(at offset: Offset) -> Result<Batch, MissingOffset> {
        state.withLockedValue { state in
            if let batch = state.log.sealedBatch(at: offset) { return .success(batch) }
            let first = state.firstReadable
            return .failure(MissingOffset(firstKept: first, archive: offset < first ? nil : state.archive?.source))
        }
    }

    /// The error for an offset that the log has dropped.
    struct MissingOffset: Error {
        /// The oldest offset that can still be read.
        let firstKept: Offset
        /// What can read the missing one back.
        let archive: ArchiveSource?
    }

    /// Makes the topic refuse publishes from now on.
    func markDeleted() {
        state.withLockedValue { state in
            state.isDeleted = true
            state.takesBareMessages = false
            state.archive = nil
        }
    }

    /// Finishes the deletion of a topic that is marked deleted: tells every hub to end its subscriptions.
    func delete() {
        let (readers, waiting) = state.withLockedValue { state -> ([TopicState.Reader], [HubMailbox]) in
            state.log.seal()
            guard state.uncommitted?.isEmpty ?? true else {
                // Publishes that were taken before are kept and delivered first.
                state.isDeletionDue = true
                return ([], state.takeWaitingIfOpen())
            }
            for index in state.readers.indices { state.readers[index].isNotified = true }
            if state.readers.isEmpty, state.reservations == 0 { state.log.removeAll() }
            return (state.readers, state.takeWaitingIfOpen())
        }
        for reader in readers { reader.mailbox.post([reader.slot]) }
        for mailbox in waiting { mailbox.resumePublishers(of: self) }
    }

    // MARK: Presence

    /// Starts or stops telling the hub about subscriptions that begin and end. `change` is added to the hub's watch
    /// count.
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

    /// Tells the watching hubs that a subscription has begun or ended.
    func announce(_ presence: Presence) {
        let watchers = state.withLockedValue { $0.watchers }
        for watcher in watchers { watcher.mailbox.post(presence, slot: watcher.slot) }
    }
}

/// The news that a subscription has begun or ended.
struct Presence {
    let hasJoined: Bool
    let clientID: String
    /// The id of that subscription. It does not receive news about itself.
    let subscription: UInt64
    /// Higher than the sequence of all earlier news.
    let sequence: UInt64
}

/// A hub that has something new to read, and the slot where the hub keeps that topic.
struct Wakeup {
    let mailbox: HubMailbox
    let slot: Int
}
