import DequeModule
import NIOCore

// The registry: which topics there are. One change of a topic after the other.

extension ClusterNode {
    mutating func add(_ change: PendingChange, to number: Int) {
        topics[number].changes.append(change)
        activate(number)
        if topics[number].changes.count == 1 { start(number) }
    }

    /// Starts the first change that waits.
    private mutating func start(_ number: Int) {
        guard let change = topics[number].changes.first else { return }
        if !changing.contains(number) { changing.append(number) }
        // What it was made from shows whether somebody else was faster.
        if case .set = change.change { return decide(number) }
        set(.reading(barrier: wantBarrier(.registry)), of: number)
    }

    private mutating func set(_ step: PendingChange.Step, of number: Int) {
        guard !topics[number].changes.isEmpty else { return }
        topics[number].changes[0].step = step
    }

    private mutating func finish(_ number: Int, _ result: Result<TopicAnswer, ClusterFailure>) {
        guard let change = topics[number].changes.popFirst() else { return }
        changing.removeAll { $0 == number }
        if change.ticket != Self.ownTicket { emit(.answered(change.ticket, result)) }
        while let next = topics[number].changes.first, next.deadline <= now {
            topics[number].changes.removeFirst()
            if next.ticket != Self.ownTicket { emit(.answered(next.ticket, .failure(.unavailable))) }
        }
        start(number)
    }

    /// The registry's mirror has come further, or a barrier was acked.
    mutating func goOn(_ number: Int) {
        let registry = streams[ClusterStream.registry.number]
        switch topics[number].changes.first?.step {
        case .reading(let barrier)?:
            guard registry.passed.number >= barrier, registry.mirror.isCaughtUp,
                registry.mirror.position >= registry.passed.sequence
            else { return }
            decide(number)
        case .looking(let message, let entry, let sequence)?:
            guard registry.mirror.position >= sequence else { return }
            lookedUp(number, message, entry)
        default:
            break
        }
    }

    /// Does what follows from what the registry says.
    private mutating func decide(_ number: Int) {
        guard let change = topics[number].changes.first else { return }
        let topic = topics[number]
        let isThere = topic.entry?.isLive ?? false && !topic.isHalfDeleted
        switch change.change {
        case .look:
            finish(number, .success(isThere ? .exists : .notFound))
        case .create(let epoch, let settings, let window):
            if isThere { return finish(number, .success(.exists)) }
            // The registry has lost a topic: what is left of it must not become part of this one.
            if !topic.chain.isEnded, let era = topic.chain.era, era.generation > topic.entry?.era.generation ?? 0 {
                return bury(era, number)
            }
            create(number, epoch: epoch, settings: settings, window: window, boundary: 0)
        case .set(let settings, let window, let old):
            guard isThere, var entry = topic.entry else { return finish(number, .success(.notFound)) }
            guard entry == old else { return finish(number, .success(.conflict)) }
            (entry.settings, entry.dedupeWindow) = (settings, window)
            write(entry, number)
        case .delete:
            guard let entry = topic.entry, entry.isLive else { return finish(number, .success(.notFound)) }
            if topic.isHalfDeleted { return remove(number, tombstone: topic.chain.last.sequence) }
            bury(topic.chain.generation == entry.era.generation ? topic.chain.era ?? entry.era : entry.era, number)
        }
    }

    private mutating func create(_ number: Int, epoch: String, settings: String, window: Int64?, boundary: UInt64) {
        let topic = topics[number]
        var boundary = boundary
        if let entry = topic.entry, !entry.isLive { boundary = max(boundary, entry.boundary) }
        if topic.chain.isEnded { boundary = max(boundary, topic.chain.last.sequence) }
        let generation = max(topic.entry?.era.generation ?? 0, topic.chain.generation) + 1
        let entry = TopicEntry(
            era: TopicEra(generation: generation, epoch: epoch),
            boundary: boundary,
            dedupeWindow: window,
            settings: settings
        )
        write(entry, number)
    }

    /// The topic has ended in its stream: says so in the registry.
    private mutating func remove(_ number: Int, tombstone: UInt64) {
        guard var entry = topics[number].entry else { return finish(number, .success(.notFound)) }
        let subject = names.subject(ofTopic: topics[number].name)
        act(.purge(topics[number].stream, subject: subject, before: tombstone))
        (entry.isLive, entry.boundary, entry.settings, entry.dedupeWindow) = (false, tombstone, "", nil)
        write(entry, number)
    }

    private mutating func bury(_ era: TopicEra, _ number: Int) {
        set(.burying(PendingChange.Message(id: ids.next(), era: era)), of: number)
        sendChange(number)
    }

    private mutating func write(_ entry: TopicEntry, _ number: Int) {
        let message = PendingChange.Message(
            id: ids.next(),
            expected: ExpectedSequence(topics[number].entryPlace.sequence),
            era: entry.era
        )
        set(.writing(message, entry), of: number)
        sendChange(number)
    }

    private mutating func sendChange(_ number: Int) {
        guard let change = topics[number].changes.first, let message = change.message else { return }
        guard isConnected else { return pauseChange(number) }
        topics[number].changes[0].pause(until: nil)
        let name = topics[number].name
        switch change.step {
        case .burying:
            let header = PackHeader(
                kind: .tombstone,
                era: message.era,
                first: 1,
                time: max(now + lead, 0),
                previous: nil
            )
            send(
                .change(topic: number, id: message.id, topics[number].stream),
                to: topics[number].stream,
                subject: names.subject(ofTopic: name),
                id: message.id,
                expected: .anything,
                header: PublishRequest.Header(header)
            )
        case .writing(_, let entry):
            send(
                .change(topic: number, id: message.id, .registry),
                to: .registry,
                subject: names.registrySubject(ofTopic: name),
                id: message.id,
                expected: message.expected,
                header: PublishRequest.Header(entry),
                body: ByteBuffer(string: entry.settings)
            )
        case .waiting, .reading, .looking:
            break
        }
    }

    private mutating func pauseChange(_ number: Int) {
        topics[number].changes[0].pause(until: pause())
    }

    // MARK: Answers

    mutating func changeAnswered(_ number: Int, id: PackID, _ answer: PublishAnswer) {
        guard let change = topics[number].changes.first, change.message?.id == id else { return }
        switch (answer, change.step) {
        case (.acked(let sequence, _), .burying(let message)):
            buried(number, message, at: sequence)
        case (.acked(let sequence, _), .writing(let message, let entry)):
            take(entry, at: PackPlace(sequence: sequence, id: message.id), of: number)
            written(number)
        case (.wrongLastSequence(let sequence), .writing(let message, let entry)):
            // A server that knows less than this node is asked again, or another one.
            guard ExpectedSequence(sequence) != message.expected, sequence >= topics[number].entryPlace.sequence else {
                return pauseChange(number)
            }
            set(.looking(message, entry, sequence: sequence), of: number)
            goOn(number)
        case (.refused(let reason), _):
            finish(number, .failure(.refused(reason)))
        default:
            pauseChange(number)
        }
    }

    private mutating func buried(_ number: Int, _ message: PendingChange.Message, at sequence: UInt64) {
        switch topics[number].changes.first?.change {
        case .create(let epoch, let settings, let window)?:
            create(number, epoch: epoch, settings: settings, window: window, boundary: sequence)
        case .delete?:
            guard topics[number].entry?.era.generation == message.era.generation else { return written(number) }
            remove(number, tombstone: sequence)
        default:
            break
        }
    }

    /// The registry has what this change wanted.
    private mutating func written(_ number: Int) {
        switch topics[number].changes.first?.step {
        case .writing(let message, _)?, .looking(let message, _, _)?:
            finish(number, .success(answer(to: topics[number].changes.first?.change, message.era)))
        case .burying?:
            finish(number, .success(.deleted))
        default:
            break
        }
    }

    private func answer(to change: RegistryChange?, _ era: TopicEra) -> TopicAnswer {
        switch change {
        case .create?: .created(era)
        case .delete?: .deleted
        default: .changed
        }
    }

    /// The registry was not as this change expected: it has been written by somebody else, or by this.
    private mutating func lookedUp(_ number: Int, _ message: PendingChange.Message, _ wanted: TopicEntry) {
        let topic = topics[number]
        if topic.entryPlace.id == message.id { return written(number) }
        switch topic.changes.first?.change {
        case .create?:
            // Nobody else has this epoch. It may even be changed or deleted already.
            if topic.entry?.era == wanted.era { written(number) } else { decide(number) }
        case .delete?:
            guard let entry = topic.entry, entry.isLive, entry.era.generation == wanted.era.generation else {
                return written(number)
            }
            remove(number, tombstone: wanted.boundary)
        case .set?, .look?, nil:
            finish(number, .success(topic.entry?.isLive ?? false ? .conflict : .notFound))
        }
    }

    // MARK: The mirror

    mutating func takeEntry(_ delivery: Delivery) {
        if takeNote(delivery) { return }
        guard let name = names.topic(ofSubject: delivery.subject, in: .registry),
            let entry = delivery.header.flatMap({ TopicEntry($0, settings: String(buffer: delivery.body)) }),
            let id = delivery.packID
        else { return }
        take(entry, at: PackPlace(sequence: delivery.sequence, id: id), of: topic(named: name))
    }

    private mutating func take(_ entry: TopicEntry, at place: PackPlace, of number: Int) {
        guard place.sequence > topics[number].entryPlace.sequence else { return }
        let old = topics[number].entry
        (topics[number].entry, topics[number].entryPlace) = (entry, place)
        topics[number].isEntryUnseen = false
        let shown = topics[number].shown
        review(number)
        readAgainIfNeeded(number)
        guard let shown, topics[number].shown?.generation == shown.generation, entry.isLive, entry != old,
            entry.era.generation == shown.generation
        else { return }
        topics[number].recent.window = entry.dedupeWindow
        emit(.changed(topics[number].name, entry))
    }

    // MARK: Time

    mutating func tickChanges(of number: Int) {
        if let change = topics[number].changes.first {
            if change.deadline <= now { return finish(number, .failure(.unavailable)) }
            if let until = change.message?.pausedUntil, until <= now { sendChange(number) }
            return
        }
        // Whoever deletes it has had time enough.
        guard let endedAt = topics[number].endedAt, now - endedAt >= timing.finish else { return }
        topics[number].endedAt = now + Int64.random(in: 0...timing.finish, using: &random)
        add(PendingChange(.delete, ticket: Self.ownTicket, deadline: now + timing.answer), to: number)
    }
}

extension PendingChange {
    mutating func pause(until: Int64?) {
        switch step {
        case .burying(var message):
            message.pausedUntil = until
            step = .burying(message)
        case .writing(var message, let entry):
            message.pausedUntil = until
            step = .writing(message, entry)
        case .waiting, .reading, .looking:
            break
        }
    }
}
