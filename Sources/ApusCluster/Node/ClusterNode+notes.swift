import ApusProtocol
import NIOCore

// Notes in the registry. Who writes one says which one it was made from, so of two who write at once one is told.

extension ClusterNode {
    /// What the registry has under a key, as far as this node has read.
    package func note(_ key: String) -> RegistryNote? { notes[key] }

    /// Writes a note in the place of ``note(_:)``. The outcome is a ``ClusterEvent/answered(_:_:)``: `changed`, or
    /// `conflict` if somebody else was faster. A ``ClusterEvent/noted(_:)`` comes before it.
    package mutating func write(_ value: String, under key: String, ticket: Ticket) {
        guard (1...RegistryNote.longestKey).contains(key.utf8.count), value.utf8.count <= RegistryNote.longestValue
        else {
            return emit(.answered(ticket, .failure(.refused("too long"))))
        }
        guard notes[key] != nil || notes.count < limits.notes else {
            return emit(.answered(ticket, .failure(.refused("there are too many notes"))))
        }
        guard writing.count < limits.notesUnderWay else { return emit(.answered(ticket, .failure(.overloaded))) }
        writing[ticket] = PendingNote(
            key: key,
            value: value,
            id: ids.next(),
            deadline: now + timing.answer,
            expected: ExpectedSequence(notes[key]?.sequence ?? 0)
        )
        sendNote(ticket)
    }

    /// Removes a note that nobody needs any more, unless it has changed. Nobody waits for that.
    package mutating func forget(_ key: String, at sequence: UInt64) {
        guard sequence > 0, sequence < .max, let note = notes[key], note.sequence == sequence else { return }
        notes[key] = nil
        act(.purge(.registry, subject: names.noteSubject(of: key), before: sequence + 1))
    }

    private mutating func sendNote(_ ticket: Ticket) {
        guard let note = writing[ticket] else { return }
        guard isConnected else { return pauseNote(ticket) }
        writing[ticket]?.step = .sent
        send(
            .note(ticket, id: note.id),
            to: .registry,
            subject: names.noteSubject(of: note.key),
            id: note.id,
            expected: note.expected,
            header: .note,
            body: ByteBuffer(string: note.value)
        )
    }

    private mutating func pauseNote(_ ticket: Ticket) {
        let until = pause()
        writing[ticket]?.step = .paused(until: until)
    }

    private mutating func finishNote(_ ticket: Ticket, _ result: Result<TopicAnswer, ClusterFailure>) {
        guard writing.removeValue(forKey: ticket) != nil else { return }
        emit(.answered(ticket, result))
    }

    mutating func noteAnswered(_ ticket: Ticket, id: PackID, _ answer: PublishAnswer) {
        guard let note = writing[ticket], note.id == id else { return }
        switch answer {
        case .acked(let sequence, _):
            take(RegistryNote(key: note.key, value: note.value, sequence: sequence, id: id))
            finishNote(ticket, .success(.changed))
        case .wrongLastSequence(let sequence) where sequence < notes[note.key]?.sequence ?? 0:
            // Somebody has removed it, or the server does not know all yet: taken it is only if that is true.
            writing[ticket]?.expected = ExpectedSequence(sequence)
            pauseNote(ticket)
        case .wrongLastSequence(let sequence):
            writing[ticket]?.step = .looking(sequence: sequence)
            lookForNote(ticket)
        case .refused(let reason): finishNote(ticket, .failure(.refused(reason)))
        case .unavailable: pauseNote(ticket)
        }
    }

    /// The registry has something else than was expected: this note after all, or that of somebody else.
    private mutating func lookForNote(_ ticket: Ticket) {
        guard let note = writing[ticket], case .looking(let sequence) = note.step,
            streams[ClusterStream.registry.number].mirror.position >= sequence
        else { return }
        finishNote(ticket, .success(notes[note.key]?.id == note.id ? .changed : .conflict))
    }

    mutating func lookForNotes() {
        for ticket in writing.keys.sorted() { lookForNote(ticket) }
    }

    mutating func tickNotes() {
        for (ticket, note) in writing.sorted(by: { $0.key < $1.key }) {
            if note.deadline <= now {
                finishNote(ticket, .failure(.unavailable))
            } else if case .paused(let until) = note.step, until <= now {
                sendNote(ticket)
            }
        }
    }

    // MARK: The mirror

    /// - Returns: whether the delivery is for a note.
    mutating func takeNote(_ delivery: Delivery) -> Bool {
        guard let key = names.note(ofSubject: delivery.subject) else { return false }
        guard delivery.header == RegistryNote.version, delivery.body.readableBytes <= RegistryNote.longestValue,
            let value = String(validating: delivery.body.readableBytesView, as: UTF8.self), let id = delivery.packID
        else { return true }
        take(RegistryNote(key: key, value: value, sequence: delivery.sequence, id: id))
        return true
    }

    private mutating func take(_ note: RegistryNote) {
        let old = notes[note.key]
        guard note.sequence > old?.sequence ?? 0 else { return }
        guard old != nil || notes.count < limits.notes else {
            notesLeftOut += 1
            return
        }
        notes[note.key] = note
        emit(.noted(note))
    }

    /// The registry is read again. What it should have lost stays known here.
    mutating func readNotesAgain() {
        notes.changeValues { $0.sequence = 0 }
    }
}
