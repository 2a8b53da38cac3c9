// What JetStream answers, and what follows from the time.

extension ClusterNode {
    /// - Parameter now: in milliseconds on the steady clock.
    package mutating func receive(_ event: JetStreamEvent, now: Int64) {
        self.now = max(self.now, now)
        switch event {
        case .connected:
            isConnected = true
            for stream in used { consume(stream) }
        case .disconnected:
            isConnected = false
        case .answered(let number, let answer):
            guard let attempt = attempts.removeValue(forKey: number) else { return }
            answered(attempt, answer)
        case .delivered(let delivery):
            delivered(delivery)
        case .heartbeat(let stream, let consumer, let deliveries):
            let verdict = streams[stream.number].mirror.heartbeat(
                consumer: consumer,
                deliveries: deliveries,
                now: self.now
            )
            if verdict == .recreate { consume(stream) }
        case .consumerFailed(let stream, let consumer):
            streams[stream.number].mirror.consumerFailed(consumer, retryAt: pause())
        }
        finishReadings()
    }

    private mutating func answered(_ attempt: Attempt, _ answer: PublishAnswer) {
        switch attempt {
        case .pack(let number, let stream, let id, let attempt):
            note(answer, to: id, of: stream)
            guard topics[number].stream == stream else { return }
            let mirror = streams[stream.number].mirror
            var answer = answer
            if case .acked = answer, !mirror.isCaughtUp || topics[number].chain.last != topics[number].sender.expected {
                // Everything is read again: what was acked comes up there.
                answer = .unavailable("read again")
            }
            let steps = topics[number].sender.answered(
                answer,
                id: id,
                attempt: attempt,
                now: now,
                retry: timing.retry,
                random: &random
            )
            carryOut(steps, of: number)
            if mirror.isCaughtUp { lookForFlight(of: number, at: mirror.position) }
            begin(number)
        case .barrier(let stream, let id):
            note(answer, to: id, of: stream)
            guard streams[stream.number].barrier?.id == id else { return }
            barrierAnswered(stream, answer)
        case .change(let number, let id, let stream):
            note(answer, to: id, of: stream)
            changeAnswered(number, id: id, answer)
        case .note(let ticket, let id):
            note(answer, to: id, of: .registry)
            noteAnswered(ticket, id: id, answer)
        }
    }

    private mutating func note(_ answer: PublishAnswer, to id: PackID, of stream: ClusterStream) {
        switch answer {
        case .acked(let sequence, _):
            streams[stream.number].mirror.acked(id, at: sequence)
            streams[stream.number].lastAck = now
            streams[stream.number].unansweredSince = nil
        case .wrongLastSequence(let sequence):
            streams[stream.number].mirror.note(sequence, now: now)
        case .unavailable, .refused:
            break
        }
    }

    // MARK: Barriers

    /// Has a barrier published that is not under way yet.
    ///
    /// - Returns: its number.
    mutating func wantBarrier(_ stream: ClusterStream) -> UInt64 {
        let number = streams[stream.number].barriers + 1
        streams[stream.number].wantsBarrier = true
        if streams[stream.number].barrier == nil, isConnected { sendBarrier(stream) }
        return number
    }

    private mutating func sendBarrier(_ stream: ClusterStream) {
        if streams[stream.number].barrier == nil {
            streams[stream.number].barriers += 1
            streams[stream.number].wantsBarrier = false
            streams[stream.number].lastBarrier = now
            let mirror = streams[stream.number].mirror
            streams[stream.number].barrier = StreamState.Barrier(
                id: ids.next(),
                number: streams[stream.number].barriers,
                floor: max(mirror.position, mirror.known),
                alarm: now < streams[stream.number].alarmsUntil ? streams[stream.number].alarms : nil
            )
        }
        guard let barrier = streams[stream.number].barrier else { return }
        streams[stream.number].barrier?.pausedUntil = nil
        let header = BarrierHeader(streams[stream.number].mirror.places(), alarm: barrier.alarm)
        send(
            .barrier(stream, id: barrier.id),
            to: stream,
            subject: names.barrierSubject(of: stream),
            id: barrier.id,
            expected: .anything,
            header: PublishRequest.Header(header)
        )
    }

    private mutating func barrierAnswered(_ stream: ClusterStream, _ answer: PublishAnswer) {
        guard case .acked(let sequence, _) = answer, let barrier = streams[stream.number].barrier else {
            let until = pause()
            streams[stream.number].barrier?.pausedUntil = until
            return
        }
        streams[stream.number].barrier = nil
        streams[stream.number].passed = (barrier.number, sequence)
        noteBarrier(of: stream)
        let wasCaughtUp = streams[stream.number].mirror.isCaughtUp
        let now = now
        let isLost = streams[stream.number].mirror.passed(barrier: sequence, floor: barrier.floor, now: now)
        if isLost { return startOver(stream) }
        if streams[stream.number].suspicion == .asked { streams[stream.number].suspicion = .hasMajority }
        if !wasCaughtUp, streams[stream.number].mirror.isCaughtUp { caughtUp(stream) }
        if stream.isRegistry { registryMoved() }
        if streams[stream.number].wantsBarrier, streams[stream.number].barrier == nil { sendBarrier(stream) }
    }

    /// A server knows less of a stream than this node, again.
    mutating func suspect(_ stream: ClusterStream) {
        switch streams[stream.number].suspicion {
        case .none:
            streams[stream.number].suspicion = .asked
            _ = wantBarrier(stream)
        case .asked:
            break
        case .hasMajority:
            // Whether it has lost something shows when it is read again: only then the epoch changes.
            startOver(stream)
        }
    }

    // MARK: Time

    /// Call it about every 50 ms.
    ///
    /// - Parameters:
    ///   - now: in milliseconds on the steady clock.
    ///   - lead: how far the wall clock is ahead of the steady clock.
    package mutating func tick(now: Int64, lead: Int64) {
        self.now = max(self.now, now)
        self.lead = lead
        tickNotes()
        for number in active {
            carryOut(topics[number].sender.tick(now: self.now), of: number)
            begin(number)
            tickChanges(of: number)
        }
        var rest: [Int] = []
        for number in active {
            topics[number].isActive = topics[number].wantsTicks
            if topics[number].isActive { rest.append(number) } else { releaseIfUnused(number) }
        }
        active = rest
        if isConnected { for stream in used { tick(stream) } }
        finishReadings()
    }

    private mutating func tick(_ stream: ClusterStream) {
        switch streams[stream.number].mirror.need(now: now, patience: timing.heartbeat) {
        case .consumer: consume(stream)
        case .server:
            changeServer()
            consume(stream)
        case nil: break
        }
        let state = streams[stream.number]
        if let barrier = state.barrier {
            if let until = barrier.pausedUntil, until <= now { sendBarrier(stream) }
        } else if state.wantsBarrier || now - (state.lastAck ?? 0) >= timing.probe
            || now - state.lastBarrier >= timing.comparison
        {
            sendBarrier(stream)
        }
        if let since = state.unansweredSince, now - since >= timing.changeServer, mayHelp(stream, since: since) {
            changeServer()
        }
    }

    /// Whether another server may get acked what this one does not, since that time.
    ///
    /// It does not help where the stream has no leader. That is likely where other streams are acked, and nobody's
    /// messages come up in this one any more.
    private func mayHelp(_ stream: ClusterStream, since: Int64) -> Bool {
        guard used.contains(where: { now - (streams[$0.number].lastAck ?? 0) < timing.changeServer }),
            now - since < timing.election
        else { return true }
        // What was on its way when the leader went does not count.
        return streams[stream.number].mirror.lastRead.map { $0 >= since + timing.attempt } ?? false
    }

    /// Leaves a server that does not get anything acked, unless that was done just now.
    mutating func changeServer() {
        guard isConnected, now - lastChangeOfServer >= timing.changeServer else { return }
        lastChangeOfServer = now
        for stream in used { streams[stream.number].unansweredSince = nil }
        act(.changeServer)
    }
}
