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
        /// The trace context, as ``TraceContext/json``.
        package let trace: [UInt8]?
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

    /// Reads at most `limit` publications from `start` on, as far as they are in memory.
    ///
    /// - Parameter now: in milliseconds on the steady clock.
    /// - Returns: `nil` when the topic is deleted.
    /// - Throws: ``BrokerError`` `.positionInFuture`.
    package func page(from start: ReplayStart, limit: Int, now: Int64) throws(BrokerError) -> TopicPage? {
        guard var reading = try read(from: start, limit: limit, now: now) else { return nil }
        _ = addFromMemory(to: &reading)
        return reading.page
    }

    /// Reads at most `limit` publications from `start` on, also those that only the journal has.
    ///
    /// - Throws: ``BrokerError`` `.positionInFuture`, or `.notKept` if they cannot be read back.
    package func fullPage(from start: ReplayStart, limit: Int, now: Int64) async throws(BrokerError) -> TopicPage? {
        guard var reading = try read(from: start, limit: limit, now: now) else { return nil }
        while let source = addFromMemory(to: &reading) {
            // Small, as most pages are; what more is needed is read with the next step.
            let answer = await source.read(template, from: reading.cursor, bytes: 64 << 10)
            switch answer {
            case .batches(let batches):
                for batch in batches where !reading.isFull { reading.add(batch) }
            case .gone(let first):
                reading.cursor = max(reading.cursor + 1, first)
            case .unreadable(let end):
                throw BrokerError(.notKept, "Messages before offset \(end) cannot be read from the disk")
            case .unavailable:
                throw BrokerError(.notKept, "Messages from offset \(reading.cursor) on cannot be read now: try again")
            }
        }
        return reading.page
    }

    private func read(from start: ReplayStart, limit: Int, now: Int64) throws(BrokerError) -> PageReading? {
        try state.withLockedValue { state in
            Result { () throws(BrokerError) -> PageReading? in
                guard !state.isDeleted else { return nil }
                state.log.seal()
                let place = try state.place(start, now: now)
                return PageReading(place, first: state.firstOfHistory(now: now), limit: limit, now: now)
            }
        }.get()
    }

    /// - Returns: what has the message that comes next, if it is not in memory.
    private func addFromMemory(to reading: inout PageReading) -> ArchiveSource? {
        while !reading.isFull {
            // One batch at a time. A batch that is trimmed meanwhile was no longer history.
            switch batch(at: reading.cursor) {
            case .success(let batch): reading.add(batch)
            case .failure(let missing): return missing.archive
            }
        }
        return nil
    }
}

extension ArchiveSource {
    func read(_ template: EventTemplate, from offset: Offset, bytes: Int) async -> ArchiveAnswer {
        await withCheckedContinuation { continuation in
            journal.read(topic, template: template, from: offset, bytes: bytes) { continuation.resume(returning: $0) }
        }
    }
}

/// A page that is being read.
private struct PageReading {
    private let place: Topic.Attached
    private let first: Offset
    private let limit: Int
    private let now: Int64
    var cursor: Offset
    private var entries: [TopicPage.Entry] = []
    private var bytes = 0
    private(set) var isFull = false

    init(_ place: Topic.Attached, first: Offset, limit: Int, now: Int64) {
        self.place = place
        self.first = first
        self.limit = limit
        self.now = now
        cursor = place.cursor
        isFull = cursor >= place.view.head || limit == 0
    }

    mutating func add(_ batch: Batch) {
        if batch.isSpent {
            cursor = batch.end
        } else {
            while cursor < batch.end, !isFull { addNext(of: batch) }
        }
        if cursor >= place.view.head { isFull = true }
    }

    private mutating func addNext(of batch: Batch) {
        let detail = batch.details?.all[Int(cursor - batch.first)] ?? .none
        let isOld = place.notBefore.map { batch.time(at: cursor) < $0 && entries.isEmpty } ?? false
        if detail.expires > now, !isOld {
            let entry = batch.withParts(at: cursor) { parts in
                TopicPage.Entry(
                    offset: cursor,
                    message: Array(parts.message),
                    key: detail.key,
                    trace: detail.trace,
                    time: Array(parts.time)
                )
            }
            bytes += entry.message.count + (entry.trace?.count ?? 0)
            isFull = bytes > Topic.maxPageBytes && !entries.isEmpty
            guard !isFull else { return }
            entries.append(entry)
            isFull = entries.count >= limit
        }
        cursor += 1
    }

    var page: TopicPage {
        TopicPage(
            first: first,
            last: place.view.head - 1,
            entries: entries,
            next: cursor - 1,
            isRecovered: place.isRecovered,
            missed: place.missed
        )
    }
}
