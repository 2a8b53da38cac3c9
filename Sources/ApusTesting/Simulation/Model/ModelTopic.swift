import ApusBroker
import ApusProtocol

/// A topic of the model: the plain list of everything that was ever published to it.
///
/// The message with the offset `n` is `messages[n - 1]`. Offsets are ordinary integers.
final class ModelTopic {
    struct Message {
        let text: String
        let key: String?
        let origin: UInt32
        /// The stamp of the wall clock, in milliseconds since 1970.
        let stamp: Int64
        /// The publication time on the steady clock, in milliseconds.
        let time: Int64
        /// When the message expires, in milliseconds on the steady clock; `Int64.max` means never.
        let expires: Int64
        /// The size of its frame in the base dialect, in bytes.
        let size: Int

        /// Whether a page's entry shows this message.
        func isEntry(_ entry: TopicPage.Entry) -> Bool {
            entry.message == Array(text.utf8)
                && entry.time == Array(Timestamp(milliseconds: stamp).description.utf8)
        }
    }

    /// Its index among all topics that ever existed.
    let number: Int
    /// The real topic.
    let real: Topic
    private let limits: MemoryBroker.Limits
    private(set) var settings: TopicSettings
    private(set) var messages: [Message] = []
    private var newestOfKey: [String: Int] = [:]
    var dedupe: ModelDedupe?
    var isDeleted = false
    /// Whether its messages are published when a journal has kept them.
    let isKept: Bool
    var commits = ModelCommits()
    /// At some time, the settings did not ask to keep messages before this offset, so they may be gone.
    private(set) var promised = 1
    /// Reserved subscriptions that ended before their hubs had placed them.
    var stalePromises = 0
    /// The client ids whose subscriptions were placed some time after they began.
    var lateJoiners: [String] = []
    /// The earliest possible start of the current batch, and the most messages that a batch can have. Batches are
    /// dropped whole.
    private var batchStart = 1
    private var longestBatch = 0
    /// Whether a subscription has throttled since the last rest.
    var mayThrottle = false

    init(number: Int, real: Topic, settings: TopicSettings, limits: MemoryBroker.Limits, isKept: Bool) {
        self.number = number
        self.real = real
        self.limits = limits
        self.settings = settings
        self.isKept = isKept
        change(to: settings, now: 0)
    }

    var name: String { real.name }
    var epoch: String { real.epoch }
    /// The offset after the last one that anybody can read.
    var head: Int { messages.count + 1 }
    /// Whether its subscriptions have to be told of its end: what was published before is settled.
    var isOver: Bool { isDeleted && commits.isEmpty }
    /// Whether publishers may have to wait for the journal.
    var mayHoldForJournal: Bool { !commits.isEmpty && limits.uncommittedBytes < 100_000 }
    var needsPublication: Bool { settings.dedupeWindow != nil || settings.ttl != nil }

    /// Whether publishers wait for loops, and bursts do not count as lag at once.
    var isPaced: Bool { limits.loopPace != nil }

    /// Whether the bound in bytes is so low that any message may be dropped.
    var isTight: Bool { limits.topicBytes < 100_000 }

    func change(to settings: TopicSettings, now: Int64) {
        keepPromises(now: now)
        self.settings = settings
        if let window = settings.dedupeWindow {
            if dedupe == nil { dedupe = ModelDedupe(window: window, limit: limits.dedupe) }
            dedupe?.change(window: window, now: now)
        } else {
            dedupe = nil
        }
    }

    // MARK: Publishing

    /// What an item is when it is published at that moment.
    func message(_ item: SimulatedItem, origin: UInt32, at moment: Moment) -> Message {
        let lifetime = item.ttl ?? settings.ttl
        let payload =
            #"{"type":"event","topic":"\#(name)","message":,"ts":"2025-08-25T10:00:00.123Z"}"#.utf8.count
            + item.text.utf8.count
        return Message(
            text: item.text,
            key: item.key,
            origin: origin,
            stamp: moment.wall,
            time: moment.steady,
            expires: lifetime.map { moment.steady + $0 } ?? .max,
            size: payload + (payload < 126 ? 2 : 4)
        )
    }

    func append(_ message: Message) {
        messages.append(message)
        if let key = message.key { newestOfKey[key] = messages.count }
        longestBatch = max(longestBatch, head - batchStart)
    }

    func isSuperseded(_ offset: Int) -> Bool {
        guard let key = messages[offset - 1].key, let newest = newestOfKey[key] else { return false }
        return newest > offset
    }

    // MARK: Memory

    /// Everything published has been read, so the next message begins another batch.
    func markSealed() {
        // The log may reopen a small batch.
        guard head - batchStart >= (settings.history ?? limits.history) / 4 else { return }
        batchStart = head
    }

    /// The most bytes it may hold without subscriptions: history, and the batch that contains or precedes its bound.
    var mostBytes: Int {
        // Old messages are dropped only after a newer batch has been read, so age does not count here.
        guard let time = messages.first?.time else { return 0 }
        let first = max(oldestWanted(now: time) - 1 - longestBatch, 1)
        return messages[(first - 1)...].reduce(0) { $0 + $1.size }
    }

    // MARK: Replays

    /// Where a replay starts.
    struct Placement: Equatable {
        var cursor: Int
        var isRecovered: Bool?
    }

    /// The oldest offset that the settings ask to keep.
    ///
    /// - Parameter countsExpired: whether expired messages count for the bounds in bytes and age. When they cease to
    ///   count depends on when the broker looks.
    func oldestWanted(now: Int64, countsExpired: Bool = false) -> Int {
        let first = max(1, head - (settings.history ?? limits.history))
        let bytes = settings.historyBytes ?? .max
        var sum = 0
        var oldest = head
        while oldest > first {
            let message = messages[oldest - 2]
            if countsExpired || message.expires > now {
                sum += message.size
                if sum > bytes || settings.historyAge.map({ message.time < now - $0 }) ?? false { break }
            }
            oldest -= 1
        }
        return oldest
    }

    /// A message that may be gone stays possibly gone, whatever the settings become.
    func keepPromises(now: Int64) {
        promised = max(promised, isTight ? head : oldestWanted(now: now, countsExpired: true))
    }

    /// Whether everything that was ever published has expired.
    func isSpent(now: Int64) -> Bool { messages.allSatisfy { $0.expires <= now } }

    private func firstOffset(from first: Int, where isLate: (Message) -> Bool) -> Int {
        (first..<max(first, head)).first { isLate(messages[$0 - 1]) } ?? head
    }

    /// Where a replay starts if `first` is the oldest offset kept; `nil` when the request is refused.
    func place(_ start: ReplayStart, first: Int, now: Int64) -> Placement? {
        switch start {
        case .lastN(let count):
            let living = (first..<max(first, head)).filter { messages[$0 - 1].expires > now }
            return Placement(cursor: living.suffix(count).first ?? head)
        case .all: return Placement(cursor: first)
        case .time(let time):
            return Placement(cursor: firstOffset(from: first) { $0.stamp >= time && $0.expires > now })
        case .age(let age):
            return Placement(cursor: firstOffset(from: first) { $0.time >= now - age && $0.expires > now })
        case .position(epoch, let offset):
            guard offset < head else { return nil }
            guard offset + 1 < first else { return Placement(cursor: Int(offset) + 1, isRecovered: true) }
            return Placement(cursor: first, isRecovered: false)
        case .position: return Placement(cursor: first, isRecovered: false)
        }
    }

    /// The earliest and the latest possible start of a replay.
    ///
    /// They differ only if settings were changed or the bound in bytes is low.
    func placements(_ start: ReplayStart, now: Int64) -> (earliest: Placement, latest: Placement)? {
        keepPromises(now: now)
        guard let earliest = place(start, first: oldestWanted(now: now), now: now),
            let latest = place(start, first: promised, now: now)
        else { return nil }
        return (earliest, latest)
    }
}

/// The recently published ids, in a plain list.
struct ModelDedupe {
    private struct Entry {
        let id: String
        let offset: Int
        let time: Int64
        /// Whether the entry expired under a shorter window before the window grew. The topic may or may not have
        /// forgotten it.
        var isUncertain = false
    }

    enum Answer: Equatable {
        case new
        case duplicate(of: Int)
        case either(Int)
    }

    private var window: Int64
    private let limit: Int
    private var entries: [Entry] = []

    init(window: Int64, limit: Int) {
        self.window = window
        self.limit = limit
    }

    mutating func change(window: Int64, now: Int64) {
        for index in entries.indices where now - entries[index].time > self.window { entries[index].isUncertain = true }
        self.window = window
    }

    func answer(to id: String, now: Int64) -> Answer {
        guard let entry = entries.suffix(limit).last(where: { $0.id == id }), now - entry.time <= window else {
            return .new
        }
        return entry.isUncertain ? .either(entry.offset) : .duplicate(of: entry.offset)
    }

    mutating func add(_ id: String, offset: Int, now: Int64) {
        entries.append(Entry(id: id, offset: offset, time: now))
    }

    /// Forgets the ids of messages that could not be kept. Those that they pushed out do not come back.
    mutating func forget(from offset: Int) {
        entries = entries.suffix(limit).filter { $0.offset < offset }
    }
}
