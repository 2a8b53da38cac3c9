/// Checks what one subscriber receives, across all its connections.
///
/// It stores the next expected offset and the next expected message of each stream, never a list of what arrived. Used
/// only by the subscriber's task.
final class SubscriberCheck {
    let number: Int
    /// Who it is, at the start of a sentence.
    let name: String
    let record: TopicRecord
    /// The last handled position; `nil` until the server has given the first one.
    private(set) var position: LogPosition?
    private(set) var counts = VerifyCounts()
    /// The sum of all seen labels with their offsets: two that saw the same have the same, in whatever order.
    private(set) var digest: UInt64 = 0
    /// Why continuing is useless.
    private(set) var failure: String?

    private var offsets = SequenceTracker(next: 1)
    private var streams: [UInt32: SequenceTracker] = [:]
    private var announcedMissing = 0
    private var firstOffset = 0
    private let report: (String) -> Void

    /// Creates a check. `report` gets each violation as a sentence for people.
    init(
        number: Int,
        name: String? = nil,
        record: TopicRecord,
        report: @escaping (String) -> Void = { _ in }
    ) {
        self.number = number
        self.name = name ?? "subscriber \(number)"
        self.record = record
        self.report = report
    }

    /// How many messages the subscriber should have received if the topic ends at `last`.
    func expected(last: Int) -> Int {
        max(0, last - firstOffset)
    }

    func receive(_ arrivals: some Sequence<Arrival>) {
        var seen: [SeenEvent] = []
        for arrival in arrivals where failure == nil {
            switch arrival {
            case .started(let start): started(start)
            case .event(let event):
                guard isNew(event) else { continue }
                seen.append(event)
            case .dropped(let count, let from, let to): dropped(count: count, from: from, to: to)
            case .topicDeleted: failure = "topic '\(record.name)' was deleted"
            case .fault(let what): fault(what)
            case .ended: break
            }
        }
        for mismatch in record.seen(seen, by: number, position: position?.offset ?? 0) {
            counts.misplaced += 1
            report("\(name), \(record.name): \(mismatch)")
        }
    }

    /// Counts what is still missing when the topic has ended at `last` and nothing more arrives.
    func finish(last: Int) {
        guard position != nil else { return }
        let missing = offsets.skip(through: last)
        if missing > 0 {
            lose(missing, "the last \(missing) up to offset \(last) never came")
        }
        // A message that was acked as stored but has no offset at all shows as a gap in its stream.
        var absent = 0
        for stream in 0..<UInt32(record.streamCount) {
            let tracker = streams[stream, default: SequenceTracker(next: 0)]
            let tail = tracker.next..<max(tracker.next, record.acked(stream: stream))
            absent += tracker.missing + tail.count - record.refused(stream: stream, in: tracker.gaps + [tail])
        }
        // A damaged message has no label, so it leaves a gap too.
        let unexplained = absent - offsets.missing - announcedMissing - missing - counts.damaged
        if unexplained > 0 { lose(unexplained, "\(unexplained) acked messages have no offset") }
    }

    // MARK: Arrivals

    private func started(_ start: Arrival.Start) {
        guard let position else {
            self.position = start.position
            firstOffset = start.position.offset
            offsets = SequenceTracker(next: start.position.offset + 1)
            return
        }
        guard start.position.epoch == position.epoch else {
            let claim = start.recovered == false ? "" : " without saying recovered: false"
            failure = "the epoch of '\(record.name)' changed from \(position.epoch) to \(start.position.epoch)\(claim)"
            return
        }
        if start.position.offset < position.offset {
            let gone = position.offset - start.position.offset
            counts.vanished += gone
            report("\(name), \(record.name): \(gone) seen up to offset \(position.offset) are gone after a reconnect")
        }
        guard start.recovered == false else { return }
        announce(through: start.missed?.upperBound ?? start.position.offset)
        if start.missed == nil { fault("recovered is false in the same epoch, but missed is not given") }
    }

    private func dropped(count: Int, from: Int?, to: Int?) {
        guard let from, let to, from <= to else {
            return fault("messages_dropped without from and to")
        }
        if to - from + 1 != count { fault("messages_dropped says \(count), but \(from) to \(to)") }
        if from != offsets.next {
            fault("messages_dropped starts at \(from), but the next offset is \(offsets.next)")
        }
        announce(through: to)
    }

    private func announce(through last: Int) {
        let skipped = offsets.skip(through: last)
        counts.announced += skipped
        announcedMissing += skipped
        if skipped > 0 {
            position?.offset = last
            report("\(name), \(record.name): \(skipped) up to offset \(last) announced as lost")
        }
    }

    /// Whether the event did not arrive before.
    private func isNew(_ event: SeenEvent) -> Bool {
        guard position != nil else {
            fault("an event came before the first position")
            return false
        }
        switch offsets.see(event.offset) {
        case .repeated:
            counts.doubled += 1
            report("\(name), \(record.name): offset \(event.offset) came twice")
            return false
        case .late:
            counts.lost -= 1
            counts.reordered += 1
            report("\(name), \(record.name): offset \(event.offset) came after a later one")
            follow(event, isInOrder: false)
        case .ahead(let missing):
            lose(missing, "\(missing) before offset \(event.offset) did not come")
            position?.offset = event.offset
            follow(event, isInOrder: true)
        case .inOrder:
            position?.offset = event.offset
            follow(event, isInOrder: true)
        }
        counts.delivered += 1
        return true
    }

    private func follow(_ event: SeenEvent, isInOrder: Bool) {
        let offset = event.offset
        guard let label = event.label else {
            counts.damaged += 1
            report("\(name), \(record.name): offset \(offset) does not have what was published")
            return
        }
        let sequence = Int(label.sequence)
        digest &+= label.digest(at: offset)
        switch streams[label.stream, default: SequenceTracker(next: 0)].see(sequence) {
        case .repeated:
            counts.doubled += 1
            report("\(record.name): message \(label) is stored again at offset \(offset)")
        case .late where isInOrder:
            counts.reordered += 1
            report("\(record.name): message \(label), at offset \(offset), is behind a later one of its publisher")
        case .inOrder, .ahead, .late:
            // Missing messages of a stream are judged at the end, when it is known which publishes were refused.
            break
        }
    }

    private func lose(_ count: Int, _ what: String) {
        counts.lost += count
        report("\(name), \(record.name): \(what)")
    }

    private func fault(_ what: String) {
        counts.faults += 1
        report("\(name), \(record.name): \(what)")
    }
}
