import ApusProtocol
import Logging

/// A log record to format as one line.
struct LogRecord {
    var time: Timestamp
    var level: Logger.Level
    var message: String
    /// Nested dictionaries are flattened: `connection: [id: 5]` becomes `connection.id=5`.
    var metadata: Logger.Metadata

    var text: String {
        var line = "\(time) \(level.rawValue) \(PlainText.escaped(message))"
        for (key, value) in members() {
            line += " \(Self.bare(key))=\(Self.bareOrQuoted(value.text))"
        }
        return line
    }

    var json: String {
        var line = "{\"ts\":\"\(time)\",\"level\":\"\(level.rawValue)\",\"message\":\(PlainText.quoted(message))"
        for (key, value) in members() {
            // Not every JSON reader accepts duplicate members (RFC 8259 section 4).
            let name = ["ts", "level", "message"].contains(key) ? "metadata.\(key)" : key
            line += ",\(PlainText.quoted(name)):\(value.json)"
        }
        return line + "}"
    }

    /// The members sorted by key, so that equal records look the same.
    func members() -> [(key: String, value: Logger.MetadataValue)] {
        var flat: [String: Logger.MetadataValue] = [:]
        func flatten(_ metadata: Logger.Metadata, prefix: String) {
            for (key, value) in metadata {
                if case .dictionary(let inner) = value {
                    flatten(inner, prefix: "\(prefix)\(key).")
                } else {
                    flat[prefix + key] = value
                }
            }
        }
        flatten(metadata, prefix: "")
        return flat.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// Whether a scalar would end a key or value that has no quotes.
    private static func separates(_ scalar: Unicode.Scalar) -> Bool {
        scalar == "\"" || scalar == "=" || scalar.properties.isWhitespace || PlainText.isUnsafe(scalar)
    }

    private static func bare(_ key: String) -> String {
        guard key.unicodeScalars.contains(where: separates) else { return key }
        return String(String.UnicodeScalarView(key.unicodeScalars.map { separates($0) ? "_" : $0 }))
    }

    private static func bareOrQuoted(_ value: String) -> String {
        value.isEmpty || value.unicodeScalars.contains { $0 != "=" && separates($0) } ? PlainText.quoted(value) : value
    }
}

extension Logger.MetadataValue {
    var text: String {
        switch self {
        case .string(let string): string
        case .stringConvertible(let value): value.description
        case .array(let values): "[" + values.map(\.text).joined(separator: ", ") + "]"
        case .dictionary(let members):
            "{" + members.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value.text)" }.joined(separator: ", ") + "}"
        }
    }

    fileprivate var json: String {
        switch self {
        case .string, .stringConvertible: PlainText.quoted(text)
        case .array(let values): "[" + values.map(\.json).joined(separator: ",") + "]"
        case .dictionary(let members):
            "{"
                + members.sorted { $0.key < $1.key }.map { "\(PlainText.quoted($0.key)):\($0.value.json)" }
                .joined(separator: ",") + "}"
        }
    }
}
