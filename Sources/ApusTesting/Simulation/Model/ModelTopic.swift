import ApusBroker
import ApusProtocol

/// A topic as the model has it: the plain list of all that was ever published to it. What has the offset `n` is
/// `messages[n - 1]`, and offsets are numbers like all others.
final class ModelTopic {
    struct Message {
        let text: String
        let key: String?
        let origin: UInt32
        let time: Int64
        /// `Int64.max`: never.
        let expires: Int64
        /// Of its frame in the base dialect.
        let size: Int
    }

    /// Which of all topics there ever were it is.
    let number: Int
    /// The real one.
    let real: Topic
    private let limits: MemoryBroker.Limits
    private(set) var settings: TopicSettings
    private(set) var messages: [Message] = []
    private var newestOfKey: [String: Int] = [:]
    var dedupe: ModelDedupe?
    var isDeleted = false
    /// What is before this the settings have at some time not asked to be kept, so that it may be gone.
    private(set) var promised = 1
    /// Subscriptions that were promised to patterns and ended before their hubs had placed them.
    var stalePromises = 0
    /// Whose subscriptions were placed some time after they began.
    var lateJoiners: [String] = []
    /// Since when there may be a batch, which goes as a whole; and the most messages that one can have.
    private var batchStart = 1
    private var longestBatch = 0
    /// Whether a subscription has throttled since all was quiet.
    var mayThrottle = false

    init(number: Int, real: Topic, settings: TopicSettings, limits: MemoryBroker.Limits) {
        self.number = number
        self.real = real
        self.limits = limits
        self.settings = settings
        change(to: settings, now: 0)
    }

    var name: String { real.name }
    var epoch: String { real.epoch }
    /// The next offset.
    var head: Int { messages.count + 1 }
    var needsPublication: Bool { settings.dedupeWindow != nil || settings.ttl != nil }

    /// Whether publishers wait for loops, and sockets are spared what was offered to them at once.
    var isPaced: Bool { limits.loopPace != nil }

    /// Whether the bound in bytes is so low that anything may be pushed out.
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

    func append(_ item: SimulatedItem, origin: UInt32, now: Int64) {
        let lifetime = item.ttl ?? settings.ttl
        let payload =
            #"{"type":"event","topic":"\#(name)","message":,"ts":"2025-08-25T10:00:00.123Z"}"#.utf8.count
            + item.text.utf8.count
        messages.append(
            Message(
                text: item.text,
                key: item.key,
                origin: origin,
                time: now,
                expires: lifetime.map { now + $0 } ?? .max,
                size: payload + (payload < 126 ? 2 : 4)
            )
        )
        if let key = item.key { newestOfKey[key] = messages.count }
        longestBatch = max(longestBatch, head - batchStart)
    }

    func isSuperseded(_ offset: Int) -> Bool {
        guard let key = messages[offset - 1].key, let newest = newestOfKey[key] else { return false }
        return newest > offset
    }

    // MARK: Memory

    /// All that was published has been read: what comes will be in another batch.
    func markSealed() {
        // A small batch may be gone on with.
        guard head - batchStart >= (settings.history ?? limits.history) / 4 else { return }
        batchStart = head
    }

    /// How many bytes it may hold when nobody is subscribed: history, and the batch that its bound lies in or before.
    var mostBytes: Int {
        // What is too old goes when a newer batch has been read, so that age does not count here.
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

    /// The oldest offset that the settings ask to be kept.
    func oldestWanted(now: Int64) -> Int {
        var first = max(1, head - (settings.history ?? limits.history))
        if let age = settings.historyAge { first = max(first, firstOffset(since: now - age)) }
        if let bytes = settings.historyBytes {
            var sum = 0
            var oldest = head
            while oldest > 1, sum + messages[oldest - 2].size <= bytes {
                sum += messages[oldest - 2].size
                oldest -= 1
            }
            first = max(first, oldest)
        }
        return first
    }

    /// What may be gone stays gone, whatever the settings will be.
    func keepPromises(now: Int64) {
        promised = max(promised, isTight ? head : oldestWanted(now: now))
    }

    private func firstOffset(since time: Int64) -> Int {
        (messages.firstIndex { $0.time >= time } ?? messages.count) + 1
    }

    /// Where a replay starts when `first` is the oldest offset that is kept; `nil` when it is refused.
    func place(_ start: ReplayStart, first: Int, now: Int64) -> Placement? {
        switch start {
        case .lastN(let count): return Placement(cursor: max(first, head - min(count, head)))
        case .all: return Placement(cursor: first)
        case .time(let time): return Placement(cursor: max(first, firstOffset(since: time)))
        case .age(let age): return Placement(cursor: max(first, firstOffset(since: now - age)))
        case .position(epoch, let offset):
            guard offset < head else { return nil }
            guard offset + 1 < first else { return Placement(cursor: Int(offset) + 1, isRecovered: true) }
            return Placement(cursor: first, isRecovered: false)
        case .position: return Placement(cursor: first, isRecovered: false)
        }
    }

    /// Where a replay starts at the earliest and at the latest: one and the same place, unless settings were changed or the
    /// bound in bytes is low.
    func placements(_ start: ReplayStart, now: Int64) -> (earliest: Placement, latest: Placement)? {
        keepPromises(now: now)
        guard let earliest = place(start, first: oldestWanted(now: now), now: now),
            let latest = place(start, first: promised, now: now)
        else { return nil }
        return (earliest, latest)
    }
}

/// The ids published lately, in a plain list.
struct ModelDedupe {
    private struct Entry {
        let id: String
        let offset: Int
        let time: Int64
        /// Whether its time was up under a window that is longer now: then it may be forgotten or not.
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
}
