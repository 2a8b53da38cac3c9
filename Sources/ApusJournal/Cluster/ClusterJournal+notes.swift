package import ApusBroker
package import ApusCluster
import ApusProtocol

// Notes in the registry: what all nodes have to know besides topics, and one that starts later, too.

extension ClusterJournal {
    /// A note that is to be written, with who waits for what comes of it.
    struct ProposedNote {
        let key: String
        /// Makes the value from the one that is there; `nil` if that may stay.
        let change: @Sendable (RegistryNote?) -> String?
        let answer: CheckedContinuation<Result<Void, BrokerError>, Never>
    }

    /// Writes a note for all nodes. This node's watcher has been told before it returns.
    ///
    /// - Parameter change: makes the value from what is there, or returns `nil` to leave that; called again if somebody
    ///   else was faster.
    package func write(
        under key: String,
        _ change: @escaping @Sendable (RegistryNote?) -> String?
    ) async throws(BrokerError) {
        let result = await withCheckedContinuation { continuation in
            let isOver = add { $0.notes.append(ProposedNote(key: key, change: change, answer: continuation)) }
            if isOver { continuation.resume(returning: .failure(BrokerError(.notKept, Self.isOver.message))) }
        }
        try result.get()
    }

    /// Has the registry forget notes that have not changed since.
    package func forget(_ forgotten: [RegistryNote]) {
        notes { notes in for note in forgotten { notes.forget(note) } }
        add { $0.forgotten += forgotten }
    }

    /// All notes that are known.
    package var allNotes: [RegistryNote] { notes { Array($0.all.values) } }

    /// Tells of all notes, on the journal's thread: of those that are known now before this returns, of each other one
    /// when it comes.
    package func watchNotes(_ watcher: @escaping @Sendable (RegistryNote) -> Void) async {
        await withCheckedContinuation { continuation in
            let isOver = add { $0.watches.append(NoteWatch(watcher: watcher, isTold: continuation)) }
            if isOver { continuation.resume() }
        }
    }

    /// Somebody who wants to be told of notes.
    struct NoteWatch {
        let watcher: @Sendable (RegistryNote) -> Void
        let isTold: CheckedContinuation<Void, Never>
    }

    /// On the thread.
    func begin(_ watches: [NoteWatch]) {
        for watch in watches {
            let known = notes { notes in
                notes.watcher = watch.watcher
                return Array(notes.all.values)
            }
            for note in known { watch.watcher(note) }
            watch.isTold.resume()
        }
    }
}

/// The notes that the registry has, for who asks from other threads.
struct NotesInForce {
    private(set) var all = ExactTable<RegistryNote>()
    var watcher: (@Sendable (RegistryNote) -> Void)?

    /// - Returns: who has to be told.
    mutating func take(_ note: RegistryNote) -> (@Sendable (RegistryNote) -> Void)? {
        all[note.key] = note
        return watcher
    }

    mutating func forget(_ note: RegistryNote) {
        if all[note.key] == note { all[note.key] = nil }
    }
}

extension ClusterWriter {
    mutating func write(_ proposed: ClusterJournal.ProposedNote, tries: Int = 0) {
        guard let value = proposed.change(node.note(proposed.key)) else {
            return proposed.answer.resume(returning: .success(()))
        }
        let ticket = ticket(.note(proposed, tries: tries))
        node.write(value, under: proposed.key, ticket: ticket)
    }

    mutating func answer(
        _ proposed: ClusterJournal.ProposedNote,
        tries: Int,
        _ result: Result<TopicAnswer, ClusterFailure>
    ) {
        switch result {
        case .success(.conflict) where tries < Self.mostTries: write(proposed, tries: tries + 1)
        case .success(.conflict):
            proposed.answer.resume(returning: .failure(BrokerError(.notKept, "Others change the same all the time")))
        case .success: proposed.answer.resume(returning: .success(()))
        case .failure(let failure):
            proposed.answer.resume(returning: .failure(BrokerError(.notKept, CommitFailure(failure).message)))
        }
    }
}
