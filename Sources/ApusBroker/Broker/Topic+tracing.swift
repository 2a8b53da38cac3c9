import ApusProtocol
import Glibc
import NIOConcurrencyHelpers
import NIOCore

// Finding a message by its id: nobody keeps an index of ids, so what is kept is searched.

/// A search for a message by its id, over any number of topics. It is bounded, however much is kept.
package struct MessageSearch: Sendable {
    /// The most bytes of messages that are looked at.
    package static let maxBytes = 512 << 20
    /// The most messages that are found: the newest of a topic.
    package static let maxFound = 101
    /// The most bytes that are read back from a journal, the most at once, and how far back.
    static let (maxArchivedBytes, archivedStep, archivedReach) = (64 << 20, 1 << 20, UInt64(100_000))

    private let id: String
    /// What a message with this id has to have in it; empty if it may be written in several ways.
    private let needle: [UInt8]
    /// How many bytes may still be looked at.
    private(set) var left: Int
    private var archivedLeft = Self.maxArchivedBytes
    /// Whether everything that was asked for was looked at.
    package private(set) var isComplete = true

    package init(id: String, maxBytes: Int = Self.maxBytes) {
        self.id = id
        left = maxBytes
        // In JSON these are escaped. A publisher may escape others, too, though none does in an id.
        let isPlain = id.utf8.allSatisfy { $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
        needle = isPlain ? Array(id.utf8) : []
    }

    /// The messages of a topic with the id that are in memory, the newest first.
    package mutating func find(in topic: Topic) -> [TracedMessage] {
        // Holding the batches keeps nobody waiting: they never change.
        let batches = topic.state.withLockedValue { state in
            state.log.seal()
            let first = state.log.historyFrom
            return state.log.sealed.filter { $0.end > first && !$0.isSpent }
        }
        var found: [TracedMessage] = []
        for batch in batches.reversed() {
            guard left > batch.size else {
                isComplete = false
                break
            }
            left -= batch.size
            found += look(at: batch, knowsOrigins: true)
            if found.count >= Self.maxFound { break }
        }
        return Array(found.prefix(Self.maxFound))
    }

    /// The same for what only the topic's journal has: of the newest of it.
    ///
    /// - Parameter now: in milliseconds on the steady clock.
    package mutating func findArchived(in topic: Topic, now: Int64) async -> [TracedMessage] {
        let (first, end, source) = topic.state.withLockedValue { state in
            (state.firstOfHistory(now: now), state.log.firstKept, state.archive?.source)
        }
        guard let source, first < end else { return [] }
        var offset = end - min(end - first, Self.archivedReach)
        if offset > first { isComplete = false }
        var found: [TracedMessage] = []
        while offset < end {
            guard archivedLeft > 0 else {
                isComplete = false
                break
            }
            switch await source.read(topic.template, from: offset, bytes: Self.archivedStep) {
            case .batches(let batches):
                for batch in batches where batch.end > offset {
                    archivedLeft -= batch.size
                    found += look(at: batch, knowsOrigins: false).filter { (offset..<end).contains($0.offset) }
                    offset = batch.end
                }
            case .gone(let next), .unreadable(let next):
                offset = max(offset + 1, next)
                isComplete = false
            case .unavailable:
                isComplete = false
                offset = end
            }
        }
        return Array(found.sorted { $0.offset > $1.offset }.prefix(Self.maxFound))
    }

    private func look(at batch: Batch, knowsOrigins: Bool) -> [TracedMessage] {
        guard batch.base.bytes.withUnsafeReadableBytes({ contains($0) }) else { return [] }
        let superseded = batch.details?.haveKeys == true ? batch.details?.supersededNow : nil
        return (batch.first..<batch.end).reversed().compactMap { offset in
            let size = batch.withParts(at: offset) { parts in
                contains(parts.message) && PublishedID.matches(id, in: parts.message) ? parts.message.count : nil
            }
            guard let size else { return nil }
            let index = Int(offset - batch.first)
            return TracedMessage(
                offset: offset,
                time: batch.time(at: offset),
                key: batch.details?.all[index].key,
                bytes: size,
                origin: knowsOrigins ? batch.origin(at: offset) : nil,
                isSuperseded: superseded?.contains(index) ?? false
            )
        }
    }

    private func contains(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let first = needle.first else { return true }
        return needle.withUnsafeBytes { needle in
            guard let base = bytes.baseAddress, let wanted = needle.baseAddress else { return false }
            var place = 0
            while bytes.count - place >= needle.count,
                let found = memchr(base + place, Int32(first), bytes.count - place - needle.count + 1)
            {
                if memcmp(found, wanted, needle.count) == 0 { return true }
                place = UnsafeRawPointer(found) - base + 1
            }
            return false
        }
    }
}
