import ApusBroker
import ApusCluster
import ApusProtocol
import DequeModule

// What the node tells of topics and their messages.

extension ClusterWriter {
    func adopt(_ name: String, _ era: TopicEra, _ entry: TopicEntry) {
        guard let topic = adopt(name, epoch: era.epoch, entry) else { return }
        archive.open(topic.number, name: name, era: era)
    }

    @discardableResult
    func adopt(_ name: String, epoch: String, _ entry: TopicEntry) -> Topic? {
        // What cannot be read was written by a newer version: the topic is there, with what is known here.
        let settings =
            TopicSettings(clusterText: entry.settings) ?? broker.topic(named: name)?.settings ?? TopicSettings()
        return broker.adopt(.there(name: name, epoch: epoch, settings), now: now.steady)
    }

    mutating func append(_ pack: AppliedPack<BatchPack>, to name: String) {
        let isSettled = settled.remove(ExactText(name)) != nil
        guard let topic = broker.topic(named: name) else { return }
        let source = note(pack, of: topic)
        if withheld[name] != nil {
            withheld[name]?.append(pack, mostBytes: broker.limits.tailBytes)
        } else if isSettled {
            if let source { topic.noteArchived(in: source, before: pack.end) }
        } else {
            adopt(pack, topic, source)
        }
    }

    private mutating func adopt(_ pack: AppliedPack<BatchPack>, _ topic: Topic, _ source: ArchiveSource?) {
        guard let (batches, ids) = pack.contents.batches(topic.template, from: pack.first, lead: now.wall - now.steady)
        else { return }
        figures.matched += UInt64(topic.adopt(others: batches, ids: ids, in: source))
    }

    // MARK: Topics that are read again

    /// What was read again may be shown: under the same epoch, what is there already is the same.
    mutating func resume(_ name: String, _ era: TopicEra) {
        let packs = withheld.removeValue(forKey: name)?.packs ?? []
        if let entry = entries[name] { adopt(name, era, entry) }
        archive.resume(name)
        guard let topic = broker.topic(named: name) else { return }
        for pack in packs where pack.first >= topic.head { adopt(pack, topic, note(pack, of: topic)) }
        // What can be read back was not known meanwhile.
        review(topic)
    }

    // MARK: What can be read back

    /// Notes where a pack is.
    private func note(_ pack: AppliedPack<BatchPack>, of topic: Topic) -> ArchiveSource? {
        guard let want = topic.wanted, let place = archive.note(pack, of: topic.number, want, time: now.wall) else {
            return nil
        }
        return ArchiveSource(
            journal: journal,
            topic: topic.number,
            lead: now.wall - now.steady,
            first: place.first,
            history: place.history
        )
    }

    /// History may have become shorter.
    func review(_ topic: Topic) {
        guard topic.isInJournal, let want = topic.wanted,
            let place = archive.trim(topic.number, to: want, time: now.wall)
        else { return }
        topic.noteFirst(inJournal: place.first, ofHistory: place.history)
    }
}

extension AppliedPack<BatchPack> {
    /// The offset after the last message.
    var end: Offset { first + UInt64(contents.count) }
}

/// The newest packs of a topic that is read again. What is older can be read back.
struct WithheldPacks {
    private(set) var packs = Deque<AppliedPack<BatchPack>>()
    private var bytes = 0

    /// - Parameter mostBytes: those of the newest pack may be more.
    mutating func append(_ pack: AppliedPack<BatchPack>, mostBytes: Int) {
        packs.append(pack)
        bytes += pack.contents.bytes
        while bytes > mostBytes, packs.count > 1 { removeFirst() }
    }

    mutating func remove(before end: Offset) {
        while let oldest = packs.first, oldest.end <= end { removeFirst() }
    }

    private mutating func removeFirst() {
        bytes -= packs.removeFirst().contents.bytes
    }
}
