package import ApusProtocol
import NIOConcurrencyHelpers

/// A section of a topic's log, for clients that fetch instead of subscribing.
package struct TopicPage: Sendable {
    /// One publication.
    package struct Entry: Sendable {
        package let offset: Offset
        /// The published object, byte for byte.
        package let message: [UInt8]
        /// The key as a quoted JSON string.
        package let key: [UInt8]?
        /// The time of publication as RFC 3339 text.
        package let time: [UInt8]
    }

    /// The topic's oldest offset that is kept for replay.
    package let first: Offset
    /// The topic's last offset.
    package let last: Offset
    package let entries: [Entry]
    /// The last offset that was examined. The next page starts after it.
    package let next: Offset
    package let isRecovered: Bool?
    package let missed: ClosedRange<Offset>?
}

extension Topic {
    /// The most bytes of messages in a page. Only a first message that is larger may exceed it.
    static let maxPageBytes = 4 << 20

    /// Reads at most `limit` publications from `start` on.
    ///
    /// - Parameter now: in milliseconds on the steady clock.
    /// - Returns: `nil` when the topic is deleted.
    /// - Throws: ``BrokerError`` `.positionInFuture`.
    package func page(from start: ReplayStart, limit: Int, now: Int64) throws(BrokerError) -> TopicPage? {
        let place = try state.withLockedValue { state in
            Result { () throws(BrokerError) -> (Attached, first: Offset)? in
                guard !state.isDeleted else { return nil }
                state.log.seal()
                return (try state.place(start, now: now), state.log.firstOfHistory(now: now))
            }
        }.get()
        guard let (place, first) = place else { return nil }
        var entries: [TopicPage.Entry] = []
        var cursor = place.cursor
        var bytes = 0
        reading: while cursor < place.view.head, entries.count < limit {
            // One batch at a time. A batch that is trimmed meanwhile was no longer history.
            guard case .success(let batch) = batch(at: cursor) else { break }
            guard !batch.isSpent else {
                cursor = batch.end
                continue
            }
            while cursor < batch.end, entries.count < limit {
                let index = Int(cursor - batch.first)
                let detail = batch.details?.all[index] ?? .none
                if detail.expires > now {
                    let entry = batch.withParts(at: cursor) { parts in
                        TopicPage.Entry(
                            offset: cursor,
                            message: Array(parts.message),
                            key: detail.key,
                            time: Array(parts.time)
                        )
                    }
                    bytes += entry.message.count
                    if bytes > Self.maxPageBytes, !entries.isEmpty { break reading }
                    entries.append(entry)
                }
                cursor += 1
            }
        }
        return TopicPage(
            first: first,
            last: place.view.head - 1,
            entries: entries,
            next: cursor - 1,
            isRecovered: place.isRecovered,
            missed: place.missed
        )
    }
}
