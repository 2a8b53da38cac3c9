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
/// Whatever a message or a value contains, a record stays one line. The metadata of the record wins over the
/// provider's, and that over the logger's.
public struct LogOutput: LogHandler {
    public var metadata: Logger.Metadata = [:]
    public var metadataProvider: Logger.MetadataProvider?
    public var logLevel: Logger.Level

    private let format: ServerConfiguration.LogFormat
    private let write: @Sendable (String) -> Void
    private let now: @Sendable () -> Timestamp

    public init(
        format: ServerConfiguration.LogFormat,
        level: Logger.Level,
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
        format: ServerConfiguration.LogFormat,
        level: Logger.Level,
        metadataProvider: Logger.MetadataProvider? = nil,
        now: @escaping @Sendable () -> Timestamp,
        write: @escaping @Sendable (String) -> Void
    ) {
        self.format = format
        self.logLevel = level
        self.metadataProvider = metadataProvider
        self.now = now
        self.write = write
    }

    /// A logger that writes to standard error, whatever the process' own logging is.
    public static func logger(
        label: String,
        format: ServerConfiguration.LogFormat,
        level: Logger.Level
    ) -> Logger {
        Logger(label: label) { _, provider in
            LogOutput(format: format, level: level, metadataProvider: provider)
        }
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        // `Logger` filters by itself; a handler that is called directly has to.
        guard event.level >= logLevel else { return }
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
        let record = LogRecord(
            time: now(),
            level: event.level,
            message: event.message.description,
            metadata: merged
        )
        write((format == .text ? record.text : record.json) + "\n")
    }
}

/// Standard error, a line at a time.
private enum StandardErrorLines {
    /// A pipe takes more than 4 KiB in pieces, between which another thread's could come. A leaf: nothing is called
    /// under it but write(2) and poll(2).
    private static let turn = NIOLockedValueBox(())

    static func write(_ line: String) {
        var line = line
        line.withUTF8 { bytes in
            turn.withLockedValue { _ in writeAll(UnsafeRawBufferPointer(bytes)) }
        }
    }

    /// One write(2), unless the system takes less. What it refuses is dropped: there is nowhere to complain.
    private static func writeAll(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes
        while !rest.isEmpty {
            let count = Glibc.write(STDERR_FILENO, rest.baseAddress, rest.count)
            if count >= 0 {
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            } else if errno == EAGAIN {
                // Somebody who shares the descriptor made it non-blocking. A reader that is stuck must not stop us for
                // long.
                var descriptor = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
                guard poll(&descriptor, 1, 100) > 0 else { return }
            } else if errno != EINTR {
                return
            }
        }
    }
}
