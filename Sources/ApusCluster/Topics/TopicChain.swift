/// The messages of one subject, read in order: which one is the last, and which offset comes next.
///
/// ```
/// ┌───────┐   ┌───────┐   ┌───────┐
/// │ 1…7   │ ◄─│ 8     │ ◄─│ 9…20  │ ◄─ expected of the next pack: this sequence, and this id
/// └───────┘   └───────┘   └───────┘    next offset: 21
/// ```
/// Each pack names the one before it. JetStream compares the sequence; the id shows whether it is the same stream as
/// before. What is taken follows from the subject's messages alone, so all nodes take the same.
package struct TopicChain: Sendable, Equatable {
    /// The last message that has been seen here, or that was acked.
    package private(set) var last = PackPlace.none
    /// The newest era of which there was a message.
    package private(set) var era: TopicEra?
    package private(set) var next: UInt64 = 1
    /// Whether that era is over, or there was none.
    package private(set) var isEnded = true

    package init() {}

    package var generation: UInt64 { era?.generation ?? 0 }

    package enum Outcome: Sendable, Equatable {
        /// It has been taken before.
        case known
        /// This cannot follow what has been taken: the stream has lost something, or somebody else writes.
        case contradiction
        /// It is no pack that a node would have sent here.
        case skipped
        /// The topic goes on with it. `isJump` if packs before it are gone already.
        case taken(isJump: Bool)
        case ended
        /// The tombstone of an era that is over.
        case late
    }

    /// Takes the next message of the subject.
    ///
    /// - Parameters:
    ///   - header: `nil` if it is no pack.
    ///   - isReplay: whether all has been read anew from the start, so that nothing here can be what was lost.
    package mutating func take(
        _ header: PackHeader?,
        id: PackID?,
        sequence: UInt64,
        isReplay: Bool = false
    ) -> Outcome {
        guard sequence > last.sequence else {
            return sequence == last.sequence && id != last.id ? .contradiction : .known
        }
        let place = PackPlace(sequence: sequence, id: id)
        guard let header, id != nil else {
            last = place
            return .skipped
        }
        if header.kind == .tombstone { return bury(header.era, at: place) }
        let before = header.previous ?? .none
        if before.sequence < last.sequence || (before.sequence == last.sequence && before.id != last.id) {
            guard isReplay else { return .contradiction }
            last = place
            return .skipped
        }
        let isJump = before.sequence > last.sequence
        last = place
        guard follows(header, isJump: isJump) else { return .skipped }
        (era, next, isEnded) = (header.era, header.end, false)
        return .taken(isJump: isJump)
    }

    private mutating func bury(_ buried: TopicEra, at place: PackPlace) -> Outcome {
        last = place
        guard buried.generation > generation || (buried.generation == generation && !isEnded) else { return .late }
        (era, next, isEnded) = (buried, 1, true)
        return .ended
    }

    private func follows(_ header: PackHeader, isJump: Bool) -> Bool {
        // The era before need not have ended: a registry that has lost it does not know of it.
        if header.era.generation > generation { return isJump || header.first == 1 }
        guard let era, header.era.generation == era.generation, !isEnded else { return false }
        if isJump { return header.first >= next }
        return header.first == next && (header.era.epoch != era.epoch) == (header.kind == .renewal)
    }
}
