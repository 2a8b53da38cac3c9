import ApusBroker
import ApusProtocol

/// A topic as the model has it: the plain list of all that was ever published to it. What has the offset `n` is
/// `messages[n - 1]`, and offsets are numbers like all others.
final class ModelTopic {
    struct Message {
        let text: String
        let key: String?
        let origin: UInt32
        /// What is told of its time.
        let stamp: Int64
        /// When that was, by the time that has passed.
        let time: Int64
        /// `Int64.max`: never.
        let expires: Int64
        /// Of its frame in the base dialect.
        let size: Int

        /// Whether that is what is told of it.
        func isEntry(_ entry: TopicPage.Entry) -> Bool {
            entry.message == Array(text.utf8)
                && entry.time == Array(Timestamp(milliseconds: stamp).description.utf8)
        }
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

    func append(_ item: SimulatedItem, origin: UInt32, at moment: Moment) {
        let lifetime = item.ttl ?? settings.ttl
        let payload =
            #"{"type":"event","topic":"\#(name)","message":,"ts":"2025-08-25T10:00:00.123Z"}"#.utf8.count
            + item.text.utf8.count
        messages.append(
            Message(
                text: item.text,
                key: item.key,
                origin: origin,
                stamp: moment.wall,
                time: moment.steady,
                expires: lifetime.map { moment.steady + $0 } ?? .max,
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
    ///
    /// - Parameter countsExpired: whether what has expired takes bytes and is of an age. When it ceases to depends on
    ///   when it was looked at.
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

    /// What may be gone stays gone, whatever the settings will be.
    func keepPromises(now: Int64) {
        promised = max(promised, isTight ? head : oldestWanted(now: now, countsExpired: true))
    }

    /// Whether the time of all that was ever published is up.
    func isSpent(now: Int64) -> Bool { messages.allSatisfy { $0.expires <= now } }

    private func firstOffset(from first: Int, where isLate: (Message) -> Bool) -> Int {
        (first..<max(first, head)).first { isLate(messages[$0 - 1]) } ?? head
    }

    /// Where a replay starts when `first` is the oldest offset that is kept; `nil` when it is refused.
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

    /// Where a replay starts at the earliest and at the latest: one and the same place, unless settings were changed or
    /// the bound in bytes is low.
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
