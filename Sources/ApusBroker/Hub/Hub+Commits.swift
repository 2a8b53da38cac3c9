import ApusProtocol

/// A publisher whose publishes a journal has to keep before they are published.
package protocol CommitWaiter: AnyObject {
    /// Called on the hub's loop, once for each commit that the hub was told to wait for.
    func settled(_ commit: Commit, _ outcome: Commit.Outcome)
}

// Publishes that a journal has to keep.

extension Hub {
    /// Tells the publisher what comes of a commit of this hub, such as ``newestCommit``.
    package func wait(_ publisher: any CommitWaiter, for commit: Commit?) {
        guard let commit else { return }
        let key = ObjectIdentifier(commit)
        guard awaited[key]?.last !== publisher else { return }
        awaited[key, default: []].append(publisher)
    }

    /// Names the topics of this turn's publishes to the journal.
    func commit() {
        broker.journal?.commit(uncommitted)
        uncommitted.removeAll(keepingCapacity: true)
    }

    func settle(_ commit: Commit) {
        guard let outcome = commit.outcome else { return }
        if case .kept = outcome {
            let (share, subscribers) = commit.share(of: mailbox)
            counters.published += UInt64(share.messages)
            counters.matched += UInt64(share.messages * subscribers)
            counters.duplicates += UInt64(share.duplicates)
        }
        for publisher in awaited.removeValue(forKey: ObjectIdentifier(commit)) ?? [] {
            publisher.settled(commit, outcome)
        }
        if awaited.isEmpty { awaited = [:] }
    }
}
