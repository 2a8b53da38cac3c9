import ApusStore

/// Changes of topics that the catalog does not have yet.
struct PendingChanges {
    /// Deletions go first: a successor may have the name, and a full disk still takes them, as long as nothing else
    /// comes with them.
    private(set) var deletions: [Catalog.Change] = []
    /// Where the topics begin that were purged. They make room, too, so they come next.
    private var begins: [UInt32: UInt64] = [:]
    private(set) var others: [Catalog.Change] = []

    var purges: [Catalog.Change] {
        begins.sorted { $0.key < $1.key }.map { .keep(topic: $0.key, from: $0.value) }
    }

    mutating func add(_ change: Catalog.Change) {
        switch change {
        case .delete(let topic):
            let wasKept = !others.contains { $0.creates(topic) }
            others.removeAll { $0.topic == topic }
            begins[topic] = nil
            if wasKept { deletions.append(change) }
        case .keep(let topic, let offset):
            // Of a topic that the catalog does not have yet, no message is kept either.
            guard !others.contains(where: { $0.creates(topic) }) else { return }
            begins[topic] = max(begins[topic] ?? 0, offset)
        default:
            others.append(change)
        }
    }

    mutating func removeDeletions() { deletions = [] }
    mutating func removePurges() { begins = [:] }
    mutating func removeOthers() { others = [] }
}

extension Catalog.Change {
    /// The topic whose row is made or changed.
    fileprivate var topic: UInt32? {
        switch self {
        case .create(let topic), .change(let topic): topic.number
        default: nil
        }
    }

    fileprivate func creates(_ number: UInt32) -> Bool {
        if case .create(let topic) = self { topic.number == number } else { false }
    }
}
