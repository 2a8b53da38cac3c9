import ApusProtocol

/// What of a topic's history its journal has, and can read back.
///
/// ```
/// first                     end
///   ├─────── journal ────────┤
///             ├─── log ──────────┤
///         firstKept             head
/// ```
struct Archive {
    var source: ArchiveSource
    /// The offset after the last one.
    var end: Offset

    var first: Offset { source.first }
    var range: Range<Offset> { min(first, end)..<end }
}

extension TopicState {
    /// The oldest offset that a replay may start from.
    ///
    /// - Parameter now: in milliseconds on the steady clock.
    func firstOfHistory(now: Int64) -> Offset {
        let kept = log.firstKept
        guard let archive, archive.range.contains(kept - 1) else { return log.firstOfHistory(now: now) }
        // What is too old, or too much, the journal has given up.
        let (head, reach) = (log.head, UInt64(log.limits.history))
        let oldest = max(archive.first, archive.source.history, log.historyFrom)
        return min(max(oldest, head > reach ? head - reach : 1), head)
    }

    /// The oldest offset that can be read, from memory or back from the journal.
    var firstReadable: Offset {
        guard let archive, archive.range.contains(log.firstKept - 1) else { return log.firstKept }
        return archive.first
    }

    /// What the journal has to keep of this topic.
    var wanted: JournalWant {
        // The ids of what was purged are forgotten by a restart: their records have the messages, too.
        var needed = max(dedupe?.oldest ?? .max, log.historyFrom)
        for reader in readers { needed = min(needed, reader.archiveMark, reader.lowWaterMark, reader.retainFrom) }
        return JournalWant(
            history: max(archiveStart, log.historyFrom, log.head - min(log.head, UInt64(log.limits.history))),
            historyAge: log.limits.historyAge,
            historyBytes: log.limits.historyBytes,
            needed: max(archiveStart, needed),
            neededBytes: log.limits.bytes
        )
    }
}

/// What of a topic a journal has to keep: all that is history, and what somebody still has to read.
package struct JournalWant: Sendable, Equatable {
    /// Messages before this offset are not history.
    package var history: Offset
    /// Nor are those that are older, in milliseconds.
    package var historyAge: Int64?
    /// Nor those before so many bytes.
    package var historyBytes: Int?
    /// The oldest offset that a subscription or the dedupe window needs.
    package var needed: Offset
    /// Beyond so many bytes, what is only needed is given up.
    package var neededBytes: Int

    package init(history: Offset, historyAge: Int64?, historyBytes: Int?, needed: Offset, neededBytes: Int) {
        self.history = history
        self.historyAge = historyAge
        self.historyBytes = historyBytes
        self.needed = needed
        self.neededBytes = neededBytes
    }
}

/// Where a topic's archived messages are.
package struct ArchiveSource: Sendable {
    let journal: any Journal
    /// Identifies the topic in it.
    let topic: UInt32
    /// How far the wall clock is ahead of the steady clock, in milliseconds, for the times of what is read.
    let lead: Int64
    /// The oldest offset that can be read.
    var first: Offset
    /// The oldest one that is neither too old nor too much for history.
    var history: Offset

    package init(journal: any Journal, topic: UInt32, lead: Int64, first: Offset, history: Offset? = nil) {
        self.journal = journal
        self.topic = topic
        self.lead = lead
        self.first = first
        self.history = history ?? first
    }
}

/// What a journal has read back.
package enum ArchiveAnswer: Sendable {
    /// From the offset that was asked for on, or from before it; without gaps.
    case batches([Batch])
    /// It has nothing at that offset any more, but from this one on.
    case gone(before: Offset)
    /// Messages up to this offset cannot be read. The journal has said why in the log.
    case unreadable(before: Offset)
    /// It could not be read now. The journal has tried for some seconds.
    case unavailable
}
