import ApusBroker
import ApusCluster
import ApusProtocol

/// What can be read back of one topic.
struct ArchivedTopic {
    let name: String
    var era: TopicEra
    var index: PackIndex
    /// Whether its stream is read again, so that nobody knows what it has.
    var isSuspended = false
    /// Changes whenever what was read before may not be true any more.
    var version: UInt64 = 0
    /// Where the last read ended, for whoever reads on: the offset after it, and the sequence.
    var continuation: (offset: Offset, sequence: UInt64)?

    /// Where to begin to look for a message.
    func sequence(for offset: Offset) -> UInt64? {
        guard let entry = index.entry(of: offset) else { return nil }
        if let continuation, continuation.offset == offset, continuation.sequence > entry.sequence {
            return continuation.sequence
        }
        return entry.sequence
    }

    mutating func startOver() {
        index.startOver()
        continuation = nil
        version += 1
    }
}

/// What packs say about a message that is looked for.
enum ArchiveFinding {
    case batches([Batch], next: UInt64)
    /// It comes later.
    case notYet(next: UInt64)
    /// It is gone, with all before an offset.
    case gone(before: Offset)
    /// These packs are not what is known of the topic here.
    case stranger

    /// - Parameters:
    ///   - packs: those that follow each other in the topic's subject.
    ///   - era: of the topic.
    ///   - lead: how far the wall clock is ahead of the steady clock.
    init(
        _ packs: [StoredPack],
        from offset: Offset,
        era: TopicEra,
        template: EventTemplate,
        lead: Int64
    ) {
        var found: [Batch] = []
        var next: UInt64 = 0
        for pack in packs {
            next = pack.sequence + 1
            // What nodes do not write, they do not take either. Nor do they take marks for messages.
            guard let header = pack.header.flatMap({ PackHeader($0) }), header.kind == .messages else { continue }
            if header.era.generation < era.generation { continue }
            if header.era.generation == era.generation, header.end <= offset { continue }
            if header.era.generation == era.generation, header.era != era, found.isEmpty {
                // The topic has another epoch since then: what can be read begins there.
                self = .gone(before: header.end)
                return
            }
            guard header.era == era else {
                self = found.isEmpty ? .stranger : .batches(Batch.joined(found), next: pack.sequence)
                return
            }
            let wanted = found.last?.end ?? offset
            guard header.first == wanted || found.isEmpty && header.first < wanted else {
                self = found.isEmpty ? .gone(before: header.first) : .batches(Batch.joined(found), next: pack.sequence)
                return
            }
            guard let contents = BatchPack(body: pack.body, count: header.count, time: header.time),
                let (batches, _) = contents.batches(template, from: header.first, lead: lead)
            else { continue }
            found += batches.filter { $0.end > offset }
        }
        self = found.isEmpty ? .notYet(next: next) : .batches(Batch.joined(found), next: next)
    }
}
