import ApusProtocol
package import Logging
import NIOConcurrencyHelpers
import NIOCore

/// The last warnings and errors of the log, for people who cannot see it. The oldest are forgotten first.
final class RecentLog: Sendable {
    /// How many records are kept at most, and how many bytes of them.
    static let (limit, maxBytes) = (1000, 1 << 20)
    /// The longest message or value, in characters. The rest is cut off.
    static let longestText = 2000
    /// How many values of a record are kept.
    static let maxValues = 32

    /// A record as JSON.
    struct Entry: Sendable, Equatable {
        /// Rises by one with each record.
        let id: UInt64
        let json: String
    }

    /// How many records there were since the server started, those that are forgotten included.
    struct Counts: Sendable, Equatable {
        var (warnings, errors, criticals) = (UInt64(0), UInt64(0), UInt64(0))

        fileprivate mutating func count(_ level: Logger.Level) {
            switch level {
            case .critical: criticals += 1
            case .error: errors += 1
            default: warnings += 1
            }
        }
    }

    fileprivate struct State {
        var counts = Counts()
        var entries: [Entry] = []
        /// How many of them are forgotten already.
        var forgotten = 0
        var bytes = 0
        var lastID: UInt64 = 0
    }

    private let state = NIOLockedValueBox(State())
    private let now: @Sendable () -> Timestamp

    init(now: @escaping @Sendable () -> Timestamp = { .now }) {
        self.now = now
    }

    func add(_ level: Logger.Level, label: String, _ message: String, _ metadata: Logger.Metadata) {
        let record = LogRecord(time: now(), level: level, message: message, metadata: metadata)
        let values = record.members().prefix(Self.maxValues).map { key, value in
            "\(jsonString(Self.cut(key))):\(jsonString(Self.cut(value.text)))"
        }
        let rest =
            #","at":"\#(record.time)","level":"\#(level.rawValue)","label":\#(jsonString(label))"#
            + #","message":\#(jsonString(Self.cut(message))),"metadata":{\#(values.joined(separator: ","))}}"#
        state.withLockedValue { state in
            state.counts.count(level)
            state.lastID += 1
            let entry = Entry(id: state.lastID, json: #"{"id":\#(state.lastID)"# + rest)
            state.entries.append(entry)
            state.bytes += entry.json.utf8.count
            state.forget()
        }
    }

    var counts: Counts { state.withLockedValue { $0.counts } }

    private static func cut(_ text: String) -> String {
        guard text.unicodeScalars.count > longestText else { return text }
        return String(text.unicodeScalars.prefix(longestText)) + "…"
    }

    /// The first records behind an id.
    func entries(after id: UInt64 = 0, limit: Int = RecentLog.limit) -> [Entry] {
        state.withLockedValue { state in
            let kept = state.entries[state.forgotten...]
            // Ids have no gaps.
            guard let first = kept.first?.id, id >= first else { return Array(kept.prefix(limit)) }
            return id - first < UInt64(kept.count) ? Array(kept.dropFirst(Int(id - first) + 1).prefix(limit)) : []
        }
    }
}

extension RecentLog.State {
    mutating func forget() {
        while entries.count - forgotten > RecentLog.limit || bytes > RecentLog.maxBytes, forgotten < entries.count {
            bytes -= entries[forgotten].json.utf8.count
            entries[forgotten] = RecentLog.Entry(id: entries[forgotten].id, json: "")
            forgotten += 1
        }
        // Moving the rest for each record would cost more than the records.
        guard forgotten >= RecentLog.limit / 4 || entries.count == forgotten else { return }
        entries.removeFirst(forgotten)
        forgotten = 0
    }
}

/// Passes records on, and keeps warnings and errors in a ``RecentLog``, even where the log leaves them out.
struct KeepingLogHandler: LogHandler {
    private static let leastLevel = Logger.Level.warning

    private var inner: any LogHandler
    private let label: String
    let recent: RecentLog
    /// The level that was set for this logger and its copies.
    private var ownLevel: Logger.Level?

    init(_ inner: any LogHandler, label: String, recent: RecentLog) {
        self.inner = inner
        self.label = label
        self.recent = recent
    }

    private var keptLevel: Logger.Level { max(ownLevel ?? Self.leastLevel, Self.leastLevel) }

    var logLevel: Logger.Level {
        get { min(inner.logLevel, keptLevel) }
        set {
            inner.logLevel = newValue
            ownLevel = newValue
        }
    }

    var metadata: Logger.Metadata {
        get { inner.metadata }
        set { inner.metadata = newValue }
    }

    var metadataProvider: Logger.MetadataProvider? {
        get { inner.metadataProvider }
        set { inner.metadataProvider = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { inner[metadataKey: key] }
        set { inner[metadataKey: key] = newValue }
    }

    func log(event: LogEvent) {
        if event.level >= keptLevel {
            recent.add(event.level, label: label, event.message.description, merged(with: event))
        }
        if event.level >= inner.logLevel { inner.log(event: event) }
    }
}

extension LogHandler {
    /// The values of a record: its own take precedence over the provider's, and those over the logger's.
    func merged(with event: LogEvent) -> Logger.Metadata {
        var merged = metadata
        if let provided = metadataProvider?.get() {
            merged.merge(provided) { $1 }
        }
        if let given = event.metadata {
            merged.merge(given) { $1 }
        }
        if let error = event.error, merged["error"] == nil {
            merged["error"] = "\(error)"
        }
        return merged
    }
}

extension Logger {
    /// The last warnings and errors of this logger; `nil` if it keeps none.
    var recent: RecentLog? { (handler as? KeepingLogHandler)?.recent }

    /// A logger that also keeps its last warnings and errors, for the console. A server makes one of the logger that it
    /// is given; do so before, where earlier warnings are to be kept, too.
    package func keepingWarnings() -> Logger {
        guard recent == nil else { return self }
        let recent = RecentLog()
        var logger = self
        logger.handler = KeepingLogHandler(handler, label: label, recent: recent)
        return logger
    }
}
