import ApusBroker
import ApusCluster
import ApusProtocol
import Dispatch

/// What the thread of a cluster's journal does: it owns the node, and applies to the topics what the node tells.
struct ClusterWriter: ~Copyable {
    enum Pending {
        case publish(Topic, since: UInt64)
        case proposal(ClusterJournal.Proposed, tries: Int)
        case note(ClusterJournal.ProposedNote, tries: Int)
        case readings([ClusterJournal.Reading])
    }

    /// A change of settings, or of a note, is tried so often against changes of others.
    static let mostTries = 16

    var node: ClusterNode<BatchPack>
    private let noted: (RegistryNote) -> Void
    let broker: MemoryBroker
    private let link: any JetStreamLink
    let archive: ClusterArchive
    /// Reads back for topics.
    let journal: any Journal
    var pending: [Ticket: Pending] = [:]
    private var lastTicket: Ticket = 0
    /// The topics that were published to and whose last pack has no outcome yet.
    private var behind: [ObjectIdentifier: Topic] = [:]
    private var busy: Set<ObjectIdentifier> = []
    /// What the registry says of the topics that are there.
    var entries = ExactTable<TopicEntry>()
    /// The topics whose next pack is the one that was settled just now.
    var settled: Set<ExactText> = []
    /// What came of topics that are read again, until it is known whether they are the same.
    var withheld = ExactTable<WithheldPacks>()
    /// Those who want a topic made that is being made.
    var joined = ExactTable<[ClusterJournal.Proposed]>()
    var now = Moment(wall: 0, steady: 0)
    var isConnected = false
    /// Whether there is more to take from the link at once.
    private(set) var isBehind = false
    var figures = JournalFigures()

    /// How much is taken from the link in one turn.
    private static let mostEvents = 1024

    /// - Parameter noted: is told what notes the registry has.
    init(
        _ node: consuming ClusterNode<BatchPack>,
        _ broker: MemoryBroker,
        _ link: any JetStreamLink,
        _ archive: ClusterArchive,
        journal: any Journal,
        noted: @escaping (RegistryNote) -> Void
    ) {
        self.node = node
        self.broker = broker
        self.link = link
        self.noted = noted
        self.archive = archive
        self.journal = journal
    }

    /// Whether nothing has to have an outcome.
    var isIdle: Bool { pending.isEmpty && node.isIdle }

    mutating func turn(_ inbox: ClusterJournal.Inbox, _ now: Moment) {
        self.now = now
        let taken = link.take(atMost: Self.mostEvents)
        isBehind = !taken.isEmpty
        for event in inbox.events + taken {
            switch event {
            case .connected: isConnected = true
            case .disconnected: isConnected = false
            default: break
            }
            node.receive(event, now: now.steady)
            finish()
        }
        for proposed in inbox.proposals { propose(proposed) }
        for proposed in inbox.notes { write(proposed) }
        for note in inbox.forgotten { node.forget(note.key, at: note.sequence) }
        for topic in inbox.topics {
            publish(topic)
            review(topic)
        }
        read(inbox.readings)
        archive.tick()
        node.tick(now: now.steady, lead: now.wall - now.steady)
        finish()
    }

    /// Refuses all that has no outcome, and ends the connection.
    mutating func end(_ rest: ClusterJournal.Inbox) {
        let error = BrokerError(.notKept, ClusterJournal.isOver.message)
        for proposed in rest.proposals + joined.values.joined() { proposed.answer.resume(returning: .failure(error)) }
        for proposed in rest.notes { proposed.answer.resume(returning: .failure(error)) }
        for case .note(let proposed, _) in pending.values { proposed.answer.resume(returning: .failure(error)) }
        for case .proposal(let proposed, _) in pending.values { proposed.answer.resume(returning: .failure(error)) }
        for reading in rest.readings { reading.answer.resume(returning: .failure(error)) }
        for case .readings(let readings) in pending.values {
            for reading in readings { reading.answer.resume(returning: .failure(error)) }
        }
        for case .publish(let topic, _) in pending.values { topic.settle(.failed(ClusterJournal.isOver)) }
        for topic in rest.topics + Array(behind.values) where topic.takeUncommitted() != nil {
            topic.settle(.failed(ClusterJournal.isOver))
        }
        pending = [:]
        archive.end()
        link.close()
    }

    /// Carries out what follows from the last call of the node, until nothing more does.
    private mutating func finish() {
        while true {
            let actions = node.takeActions()
            if !actions.isEmpty { link.perform(actions) }
            let events = node.takeEvents()
            for event in events { apply(event) }
            if events.isEmpty, actions.isEmpty { return }
        }
    }

    // MARK: Publishes

    private mutating func publish(_ topic: Topic) {
        let key = ObjectIdentifier(topic)
        guard !busy.contains(key) else {
            behind[key] = topic
            return
        }
        behind[key] = nil
        guard let taken = topic.takeUncommitted() else { return }
        // A topic of the same name may have taken its place.
        guard broker.topic(named: topic.name) === topic else { return topic.settle(.failed(CommitFailure(.deleted))) }
        // There may be nothing but what everybody can read, which all nodes have.
        guard !taken.batches.isEmpty else { return topic.settle(.kept) }
        let contents = BatchPack(taken.batches, ids: taken.ids)
        busy.insert(key)
        let start = DispatchTime.now().uptimeNanoseconds
        node.publish(contents, to: topic.name, ticket: ticket(.publish(topic, since: start)))
        figures.messages += UInt64(contents.count)
        figures.bytes += UInt64(contents.bytes)
    }

    mutating func ticket(_ outcome: Pending) -> Ticket {
        lastTicket += 1
        pending[lastTicket] = outcome
        return lastTicket
    }

    private mutating func settle(_ topic: Topic, since start: UInt64, _ result: Result<PackReceipt, ClusterFailure>) {
        switch result {
        case .success where broker.topic(named: topic.name) !== topic:
            // It is in the topic that has taken this one's place, with everybody else's messages.
            topic.settle(.failed(CommitFailure(.deleted)))
        case .success(let receipt):
            if receipt.count > 0 { settled.insert(ExactText(topic.name)) }
            figures.commits += 1
            figures.times.add(DispatchTime.now().uptimeNanoseconds - start)
            topic.settle(
                .kept,
                dropping: receipt.dropped.map { ($0.index, $0.offset) },
                at: receipt.count > 0 ? receipt.first : nil
            )
        case .failure(let failure):
            figures.failures += 1
            if case .refused = failure {
                // Others' publishes need not fail with it.
                topic.refuse(CommitFailure(failure))
            } else {
                topic.settle(.failed(CommitFailure(failure)))
            }
        }
        busy.remove(ObjectIdentifier(topic))
        publish(topic)
    }

    // MARK: Reading

    private mutating func read(_ readings: [ClusterJournal.Reading]) {
        guard !readings.isEmpty else { return }
        node.catchUp(on: readings.lazy.flatMap(\.names), ticket: ticket(.readings(readings)))
    }

    private static let unread = BrokerError(
        .notKept,
        "The cluster does not answer: what it has is not known. Try again"
    )

    // MARK: What the node tells

    private mutating func apply(_ event: ClusterEvent<BatchPack>) {
        switch event {
        case .opened(let name, let era, let entry):
            entries[name] = entry
            withheld[name] = nil
            adopt(name, era, entry)
        case .changed(let name, let entry):
            entries[name] = entry
            if let topic = broker.topic(named: name) { adopt(name, epoch: topic.epoch, entry) }
        case .applied(let name, let pack): append(pack, to: name)
        case .purged(let name, let end):
            withheld[name]?.remove(before: end)
            broker.adopt(.purged(name: name, before: end), now: now.steady)
        case .renewed(let name, let era): if let entry = entries[name] { adopt(name, era, entry) }
        case .suspended(let name):
            withheld[name] = WithheldPacks()
            archive.suspend(name)
        case .resumed(let name, let era): resume(name, era)
        case .closed(let name):
            (entries[name], withheld[name]) = (nil, nil)
            settled.remove(ExactText(name))
            archive.close(name)
            broker.adopt(.gone(name: name), now: now.steady)
        case .done(let ticket, let result):
            switch pending.removeValue(forKey: ticket) {
            case .publish(let topic, let start)?: settle(topic, since: start, result)
            case .proposal(let proposed, let tries)?: answer(proposed, tries: tries, result.map { _ in .deleted })
            case .note?, .readings?, nil: break
            }
        case .caughtUp(let ticket, let result):
            guard case .readings(let readings)? = pending.removeValue(forKey: ticket) else { return }
            for reading in readings { reading.answer.resume(returning: result.mapError { _ in Self.unread }) }
        case .answered(let ticket, let result):
            switch pending.removeValue(forKey: ticket) {
            case .proposal(let proposed, let tries)?: answer(proposed, tries: tries, result)
            case .note(let proposed, let tries)?: answer(proposed, tries: tries, result)
            case .publish?, .readings?, nil: break
            }
        case .noted(let note): noted(note)
        }
    }
}
