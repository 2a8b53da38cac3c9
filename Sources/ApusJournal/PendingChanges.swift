import ApusStore

/// Changes of topics that the catalog does not have yet.
struct PendingChanges {
    /// Deletions go first: a successor may have the name, and a full disk still takes them, as long as nothing else
    /// comes with them.
    private(set) var deletions: [Catalog.Change] = []
    private(set) var others: [Catalog.Change] = []

    mutating func add(_ change: Catalog.Change) {
        guard case .delete(let topic) = change else { return others.append(change) }
        let wasKept = !others.contains { $0.creates(topic) }
        others.removeAll { $0.topic == topic }
        if wasKept { deletions.append(change) }
    }

    mutating func removeDeletions() { deletions = [] }
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
