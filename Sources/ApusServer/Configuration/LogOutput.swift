import ApusProtocol
import Glibc
public import Logging
import NIOConcurrencyHelpers

/// Writes log records to standard error, one line each, as text or JSON.
///
/// ```
/// 2026-11-21T10:00:00.123Z info listening address=http://127.0.0.1:8080
/// {"ts":"2026-11-21T10:00:00.123Z","level":"info","message":"listening","address":"http://127.0.0.1:8080"}
/// ```
/// A record always stays one line, whatever the message and its values contain. The record's metadata takes precedence
/// over the provider's, and the provider's over the logger's.
public struct LogOutput: LogHandler {
    public var metadata: Logger.Metadata = [:]
    public var metadataProvider: Logger.MetadataProvider?
    /// The level that was set for this logger and its copies.
    private var ownLevel: Logger.Level?
    private let level: LogLevel
    private let format: ServerConfiguration.Log.Format
    private let write: @Sendable (String) -> Void
    private let now: @Sendable () -> Timestamp

    /// - Parameter level: the level that all loggers share.
    public init(
        format: ServerConfiguration.Log.Format,
        level: LogLevel,
        metadataProvider: Logger.MetadataProvider? = nil
    ) {
        self.init(
            format: format,
            level: level,
            metadataProvider: metadataProvider,
            now: { .now },
            write: StandardErrorLines.write
        )
    }

    init(
        format: ServerConfiguration.Log.Format,
        level: LogLevel,
        metadataProvider: Logger.MetadataProvider? = nil,
        now: @escaping @Sendable () -> Timestamp,
        write: @escaping @Sendable (String) -> Void
    ) {
        self.format = format
        self.level = level
        self.metadataProvider = metadataProvider
        self.now = now
        self.write = write
    }

    /// A logger that writes to standard error, independent of the process' own logging system.
    package static func logger(
        label: String,
        format: ServerConfiguration.Log.Format,
        level: LogLevel
    ) -> Logger {
        Logger(label: label) { _, provider in
            LogOutput(format: format, level: level, metadataProvider: provider)
        }
    }

    public var logLevel: Logger.Level {
        get { ownLevel ?? level.value }
        set { ownLevel = newValue }
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        // `Logger` filters by level; a handler that is called directly must do it itself.
        guard event.level >= logLevel else { return }
        let record = LogRecord(
            time: now(),
            level: event.level,
            message: event.message.description,
            metadata: merged(with: event)
        )
        write((format == .text ? record.text : record.json) + "\n")
    }
}

/// Writes lines to standard error.
private enum StandardErrorLines {
    /// How long a stuck reader may block the server, in milliseconds. This happens once; after that, records are
    /// dropped until the reader continues.
    private static let patience: CInt = 100
    /// When Linux reports a pipe as writable, it has room for this many bytes. A write of this size never blocks.
    private static let piece = 4096

    /// Whether the reader was stuck at the last record. A record may take several writes, and another thread's writes
    /// must not come in between. So this is a leaf lock: while it is held, only write(2) and poll(2) are called.
    private static let isStuck = NIOLockedValueBox(false)

    static func write(_ line: String) {
        var line = line
        line.withUTF8 { bytes in
            isStuck.withLockedValue { isStuck in
                isStuck = !writeAll(UnsafeRawBufferPointer(bytes), patience: isStuck ? 0 : patience)
            }
        }
    }

    /// Returns whether everything was written. If the system refuses the data, it is dropped, because there is no other
    /// place to report the error.
    private static func writeAll(_ bytes: UnsafeRawBufferPointer, patience: CInt) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            var descriptor = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
            guard poll(&descriptor, 1, patience) > 0 else { return false }
            let count = Glibc.write(STDERR_FILENO, rest.baseAddress, min(rest.count, piece))
            if count >= 0 {
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            } else if errno != EINTR, errno != EAGAIN {
                return false
            }
        }
        return true
    }
}
