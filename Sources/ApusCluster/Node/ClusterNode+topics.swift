import NIOCore

// Topics: what may be shown of them, and what their senders want.

extension ClusterNode {
    func view(_ number: Int) -> TopicEra? {
        let mirror = streams[topics[number].stream.number].mirror
        return topics[number].view(position: mirror.position, isReplay: mirror.isReplay)
    }

    /// Tells the server when a topic has come, has another era or is gone.
    mutating func review(_ number: Int) {
        let (view, shown, name) = (view(number), topics[number].shown, topics[number].name)
        if view?.generation != shown?.generation {
            if shown != nil {
                (topics[number].shown, topics[number].isSuspended) = (nil, false)
                // The registry has lost it, and may get it back.
                if !topics[number].chain.isEnded {
                    (topics[number].hasUnshown, topics[number].formerlyShown) = (true, shown)
                }
                carryOut(topics[number].sender.end(.deleted), of: number)
                topics[number].recent.removeAll()
                if topics[number].chain.isEnded { topics[number].beforeJump = nil }
                emit(.closed(name))
            }
            if let view, let entry = topics[number].entry {
                topics[number].shown = view
                topics[number].recent.window = entry.dedupeWindow
                emit(.opened(name, view, entry))
                open(number, as: view)
            }
        } else if let view, view != shown {
            topics[number].adopt(view)
            if !topics[number].isSuspended { emit(.renewed(name, view)) }
        }
        noteComing(number, view)
        noteHalfDeletion(of: number)
        if topics[number].isSuspended { resume(number) }
    }

    /// A topic that was lost and comes back under the same epoch is not what it was.
    private mutating func open(_ number: Int, as era: TopicEra) {
        guard let lost = topics[number].lost else { return }
        guard lost.era == era else { return topics[number].lost = nil }
        topics[number].isSuspended = true
        emit(.suspended(topics[number].name))
        if streams[topics[number].stream.number].mirror.isCaughtUp { renewIfLost(number) }
    }

    /// The registry shows a topic whose packs have been read already, when nobody asked for them.
    mutating func readAgainIfNeeded(_ number: Int) {
        let topic = topics[number]
        guard let shown = topic.shown, topic.chain.generation == shown.generation, topic.hasUnshown else { return }
        topics[number].hasUnshown = false
        startOver(topic.stream, isAlarm: false)
    }

    private mutating func noteComing(_ number: Int, _ view: TopicEra?) {
        guard let entry = topics[number].entry, entry.isLive, view?.generation != entry.era.generation else { return }
        let stream = topics[number].stream.number
        guard entry.boundary > streams[stream].mirror.position, !streams[stream].coming.contains(number) else { return }
        streams[stream].coming.append(number)
    }

    private mutating func noteHalfDeletion(of number: Int) {
        guard topics[number].isHalfDeleted else { return topics[number].endedAt = nil }
        guard topics[number].endedAt == nil else { return }
        topics[number].endedAt = now
        activate(number)
    }

    /// Shows again what was read again, unless something of it is missing.
    private mutating func resume(_ number: Int) {
        let mirror = streams[topics[number].stream.number].mirror
        guard mirror.isCaughtUp, topics[number].lost == nil, let shown = topics[number].shown else { return }
        topics[number].isSuspended = false
        emit(.resumed(topics[number].name, shown))
    }

    // MARK: Sending

    /// - Returns: what goes back when the sender is done, so that the window of ids is never copied.
    private mutating func link(_ number: Int, era: TopicEra) -> TopicLink {
        defer { topics[number].recent = RecentIDs() }
        return TopicLink(
            last: topics[number].chain.last,
            era: era,
            next: topics[number].next(in: era),
            recent: topics[number].recent,
            ids: ids,
            limits: limits,
            now: now,
            time: now + lead
        )
    }

    /// Lets the sender do something that may make a pack.
    mutating func withSender(
        _ number: Int,
        _ body: (inout TopicSender<Contents>, inout TopicLink) -> [TopicSender<Contents>.Step]
    ) {
        guard let era = topics[number].shown else { return }
        var link = link(number, era: era)
        let steps = body(&topics[number].sender, &link)
        (topics[number].recent, ids) = (link.recent, link.ids)
        carryOut(steps, of: number)
    }

    /// Sends what waits, if the topic is known well enough.
    mutating func begin(_ number: Int) {
        guard streams[topics[number].stream.number].mirror.isCaughtUp, topics[number].sender.flight == nil else {
            return
        }
        withSender(number) { sender, link in sender.begin(&link) }
    }

    mutating func carryOut(_ steps: [TopicSender<Contents>.Step], of number: Int) {
        for step in steps {
            switch step {
            case .send:
                sendFlight(of: number)
            case .landed(let flight, let sequence, let isJump):
                let place = PackPlace(sequence: sequence, id: flight.id)
                // The mirror has taken it already, or it shows it later.
                _ = topics[number].chain.take(flight.header, id: flight.id, sequence: sequence)
                streams[topics[number].stream.number].mirror.note(sequence, now: now)
                apply(flight.header, place, flight.contents, isJump: isJump, to: number)
            case .done(let ticket, let result):
                if ticket != Self.ownTicket { emit(.done(ticket, result)) }
            case .changeServer:
                changeServer()
            case .suspect:
                suspect(topics[number].stream)
            }
        }
    }

    private mutating func sendFlight(of number: Int) {
        guard let flight = topics[number].sender.flight else { return }
        activate(number)
        guard isConnected else { return topics[number].sender.postpone(until: pause()) }
        let attempt = topics[number].sender.noteAttempt()
        send(
            .pack(topic: number, topics[number].stream, id: flight.id, number: attempt),
            to: topics[number].stream,
            subject: names.subject(ofTopic: topics[number].name),
            id: flight.id,
            expected: ExpectedSequence(flight.expected.sequence),
            header: PublishRequest.Header(flight.header),
            body: flight.contents?.body ?? ByteBuffer()
        )
    }

    // MARK: Applying

    /// What a pack that is in the topic for good brings.
    mutating func apply(
        _ header: PackHeader,
        _ place: PackPlace,
        _ contents: Contents?,
        isJump: Bool,
        to number: Int
    ) {
        review(number)
        guard let shown = topics[number].shown, header.era.generation == shown.generation else {
            (topics[number].hasLeftovers, topics[number].hasUnshown) = (true, true)
            return
        }
        topics[number].hasUnshown = false
        switch header.kind {
        case .messages:
            guard let contents, let id = place.id else { return }
            for (index, id) in contents.ids {
                let offset = header.first + UInt64(index)
                topics[number].recent.insert(id, at: offset, time: contents.time, limit: limits.recentIDs)
            }
            let pack = AppliedPack(
                id: id,
                first: header.first,
                sequence: place.sequence,
                contents: contents,
                isJump: isJump
            )
            emit(.applied(topics[number].name, pack))
        case .purge:
            emit(.purged(topics[number].name, before: header.first))
        case .renewal where isJump:
            emit(.purged(topics[number].name, before: header.first))
        case .renewal, .tombstone:
            break
        }
    }

    /// The ticket of what nobody waits for.
    static var ownTicket: Ticket { .max }
}
