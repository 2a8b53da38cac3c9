import Logging
import NIOConcurrencyHelpers

/// The messages of a logger, each after its level.
final class LogLines: Sendable {
    private let lines = NIOLockedValueBox<[String]>([])

    struct Handler: LogHandler {
        let lines: LogLines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let details = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            lines.lines.withLockedValue {
                $0.append((["\(event.level) \(event.message)"] + details).joined(separator: " "))
            }
        }
    }

    var handler: Handler { Handler(lines: self) }

    /// What was logged since the last call.
    func take() -> [String] {
        lines.withLockedValue { lines in
            defer { lines = [] }
            return lines
        }
    }
}
