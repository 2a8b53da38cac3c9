import ApusProtocol

// What the consumers bring.

extension ClusterNode {
    mutating func delivered(_ delivery: Delivery) {
        let number = delivery.stream.number
        switch streams[number].mirror.delivered(delivery, now: now) {
        case .ignore: return
        case .recreate: return consume(delivery.stream)
        case .rolledBack: return startOver(delivery.stream)
        case .take: break
        }
        guard streams[number].held.isEmpty else { return hold(delivery) }
        take(delivery)
    }

    /// Takes a delivery that is the next one of its stream.
    private mutating func take(_ delivery: Delivery) {
        if delivery.subject == names.barrierSubject(of: delivery.stream) {
            if isAlarming(delivery) { return }
        } else if delivery.stream.isRegistry {
            takeEntry(delivery)
        } else if !takePack(delivery) {
            return
        }
        advance(to: delivery)
    }

    /// - Returns: whether everything is read again, because another node has seen something else.
    private mutating func isAlarming(_ delivery: Delivery) -> Bool {
        // What is read again now is read for that reason, or shows it.
        let mirror = streams[delivery.stream.number].mirror
        guard mirror.isCaughtUp, delivery.packID?.node != ids.node,
            let header = delivery.header.flatMap({ BarrierHeader($0) })
        else { return false }
        if header.places.contains(where: { mirror.contradicts($0) }) {
            startOver(delivery.stream)
            return true
        }
        guard let alarm = header.alarm, let node = delivery.packID?.node else { return false }
        let number = delivery.stream.number
        guard alarm > streams[number].heeded[node] ?? 0 else { return false }
        if streams[number].heeded.count >= Self.rememberedNodes { streams[number].heeded = [:] }
        streams[number].heeded[node] = alarm
        startOver(delivery.stream, isAlarm: false)
        return true
    }

    /// A node that starts again is another one.
    private static var rememberedNodes: Int { 256 }

    private mutating func advance(to delivery: Delivery) {
        let number = delivery.stream.number
        let wasCaughtUp = streams[number].mirror.isCaughtUp
        streams[number].mirror.advance(to: delivery, now: now)
        if !wasCaughtUp, streams[number].mirror.isCaughtUp { caughtUp(delivery.stream) }
        delivery.stream.isRegistry ? registryMoved() : moved(delivery.stream)
    }

    // MARK: Packs

    /// - Returns: whether it was taken.
    private mutating func takePack(_ delivery: Delivery) -> Bool {
        guard let name = names.topic(ofSubject: delivery.subject, in: delivery.stream) else { return true }
        let number = topic(named: name)
        var header = delivery.header.flatMap { PackHeader($0) }
        let id = delivery.packID
        var contents: Contents?
        if let read = header, read.kind == .messages {
            contents = Contents(body: delivery.body, count: read.count, time: read.time)
            if contents == nil { header = nil }
        }
        if let header, header.era.generation > topics[number].entry?.era.generation ?? 0, mustWait(delivery) {
            return false
        }
        let isReplay = streams[delivery.stream.number].mirror.isReplay
        let before = topics[number].chain.last
        let outcome = topics[number].chain.take(header, id: id, sequence: delivery.sequence, isReplay: isReplay)
        switch outcome {
        case .known: return true
        case .contradiction:
            startOver(delivery.stream)
            return false
        case .taken(let isJump):
            guard let header, let id else { return true }
            noteSeen(header, id: id, sequence: delivery.sequence, of: number)
            if isJump, !isReplay, before.sequence > 0 {
                topics[number].beforeJump = topics[number].beforeJump ?? before
            }
            if topics[number].sender.flight?.id == id {
                carryOut(topics[number].sender.land(at: delivery.sequence, isJump: isJump), of: number)
                begin(number)
                return true
            }
            apply(header, PackPlace(sequence: delivery.sequence, id: id), contents, isJump: isJump, to: number)
            overtake(number, isJump: isJump)
        case .ended, .late, .skipped:
            if outcome == .skipped, isReplay { topics[number].isTainted = true }
            review(number)
            overtake(number, isJump: false)
        }
        return true
    }

    private mutating func overtake(_ number: Int, isJump: Bool) {
        // Only what has been read to its end shows whether the pack in flight can still land.
        guard streams[topics[number].stream.number].mirror.isCaughtUp else { return }
        withSender(number) { sender, link in sender.overtaken(isJump: isJump, &link) }
        begin(number)
    }

    /// What was here before everything was read again is still there.
    private mutating func noteSeen(_ header: PackHeader, id: PackID, sequence: UInt64, of number: Int) {
        guard let lost = topics[number].lost, !topics[number].isTainted else { return }
        let place = PackPlace(sequence: sequence, id: id)
        if lost.place == place || lost.place == header.previous { topics[number].lost = nil }
    }

    /// The mirror has come further: packs that should have been seen by now can never land.
    private mutating func moved(_ stream: ClusterStream) {
        let position = streams[stream.number].mirror.position
        if !streams[stream.number].coming.isEmpty {
            let coming = streams[stream.number].coming
            streams[stream.number].coming = []
            for number in coming { review(number) }
        }
        let looking = streams[stream.number].looking
        guard !looking.isEmpty else { return }
        streams[stream.number].looking = []
        for number in looking { lookForFlight(of: number, at: position) }
    }

    /// The pack in flight can never land if the mirror should have shown it by now.
    mutating func lookForFlight(of number: Int, at position: UInt64) {
        if topics[number].sender.isMissing(at: position) {
            withSender(number) { sender, link in sender.overtaken(isJump: false, &link) }
        } else if case .looking? = topics[number].sender.flight?.state {
            streams[topics[number].stream.number].looking.append(number)
        }
    }

    // MARK: Deliveries that wait for the registry

    /// Whether a pack of an era that the registry has not shown yet has to wait for it.
    private mutating func mustWait(_ delivery: Delivery) -> Bool {
        let registry = streams[ClusterStream.registry.number]
        let stream = delivery.stream.number
        guard let first = streams[stream].held.first, first.delivery.sequence == delivery.sequence else {
            hold(delivery)
            return true
        }
        // An era is in the registry before its first pack is sent. What is not there by now will never be.
        return registry.passed.number < first.registryBarrier || registry.mirror.position < registry.passed.sequence
    }

    private mutating func hold(_ delivery: Delivery) {
        let number = delivery.stream.number
        guard streams[number].held.count < limits.heldDeliveries else {
            // All of it comes again when there is another consumer.
            return streams[number].mirror.consumerFailed(streams[number].mirror.consumer, retryAt: pause())
        }
        let barrier = wantBarrier(.registry)
        streams[number].held.append(StreamState.Held(delivery: delivery, registryBarrier: barrier))
    }

    /// The registry has come further: takes what waited for it.
    mutating func registryMoved() {
        for number in 0..<ClusterStream.topicStreams {
            while let first = streams[number].held.first {
                let consumer = streams[number].mirror.consumer
                guard takePack(first.delivery) else { break }
                guard streams[number].mirror.consumer == consumer, !streams[number].held.isEmpty else { break }
                streams[number].held.removeFirst()
                advance(to: first.delivery)
            }
        }
        for number in changing { goOn(number) }
        lookForNotes()
    }

    // MARK: Consumers

    /// Makes the consumer of a stream, again.
    mutating func consume(_ stream: ClusterStream) {
        streams[stream.number].held = []
        guard isConnected else { return }
        act(.consume(streams[stream.number].mirror.consume(now: now)))
        _ = wantBarrier(stream)
    }

    // MARK: Streams that have lost something

    /// Reads a stream again from its start. What is not there any more gets another epoch.
    ///
    /// - Parameter isAlarm: whether the others are told.
    mutating func startOver(_ stream: ClusterStream, isAlarm: Bool = true) {
        if isAlarm {
            streams[stream.number].alarms += 1
            streams[stream.number].alarmsUntil = now + timing.alarm
        }
        streams[stream.number].mirror.startOver(now: now)
        streams[stream.number].barrier = nil
        streams[stream.number].suspicion = .none
        streams[stream.number].passed = (streams[stream.number].passed.number, 0)
        forgetEnds(of: stream)
        if stream.isRegistry {
            readNotesAgain()
            for number in topics.indices where topics[number].entry != nil {
                (topics[number].isEntryUnseen, topics[number].entryPlace) = (true, .none)
            }
        } else {
            for number in topics.indices where topics[number].stream == stream { forget(number) }
        }
        consume(stream)
    }

    private mutating func forget(_ number: Int) {
        let chain = topics[number].chain
        if let era = topics[number].shown ?? topics[number].formerlyShown, topics[number].lost == nil,
            chain.generation == era.generation
        {
            topics[number].lost = (topics[number].beforeJump ?? chain.last, era)
        }
        if topics[number].shown != nil {
            topics[number].isSuspended = true
            emit(.suspended(topics[number].name))
        }
        topics[number].chain = TopicChain()
        topics[number].isTainted = false
        topics[number].beforeJump = nil
        topics[number].recent.removeAll()
    }

    /// A stream was read to where it was when that was asked.
    mutating func caughtUp(_ stream: ClusterStream) {
        if stream.isRegistry {
            for number in topics.indices where topics[number].isEntryUnseen {
                (topics[number].entry, topics[number].entryPlace) = (nil, .none)
                topics[number].isEntryUnseen = false
                review(number)
                readAgainIfNeeded(number)
            }
            return
        }
        for number in topics.indices where topics[number].stream == stream {
            review(number)
            renewIfLost(number)
            withSender(number) { sender, link in sender.restart(&link) }
            begin(number)
            removeLeftovers(of: number)
        }
    }

    /// What was shown is not there any more: nothing may be shown under that epoch again.
    mutating func renewIfLost(_ number: Int) {
        guard let lost = topics[number].lost, lost.era == topics[number].shown, topics[number].isSuspended else {
            return
        }
        carryOut(topics[number].sender.end(.unavailable), of: number)
        let renewal = Submission<Contents>(
            ticket: Self.ownTicket,
            item: .renewal(from: lost.era.epoch, to: newEpoch()),
            deadline: nil
        )
        _ = topics[number].sender.submit(renewal, limit: limits.queuedBytes)
        activate(number)
    }

    private mutating func newEpoch() -> String { String(random.next() >> 4, radix: 36) }

    /// Finishes a purge that a deletion did not come to.
    private mutating func removeLeftovers(of number: Int) {
        guard topics[number].hasLeftovers, let entry = topics[number].entry, entry.boundary > 0 else { return }
        topics[number].hasLeftovers = false
        let subject = names.subject(ofTopic: topics[number].name)
        act(.purge(topics[number].stream, subject: subject, before: entry.boundary))
    }
}
