/// The settings that a `PUT /topics/{name}` names. An inner `nil` resets a setting to the server's default.
package struct TopicSettingsFields: Sendable, Equatable {
    package var history: Int??
    /// In milliseconds, like the other durations.
    package var historyAge: Int64??
    package var historyBytes: Int??
    package var queue: Int??
    package var overflow: OverflowPolicy??
    package var dedupeWindow: Int64??
    package var ttl: Int64??
    /// How many messages may be published.
    package var topicRate: Rate??
    /// How many of them may come at once.
    package var topicBurst: Int??
    /// What acked messages survive.
    package var durability: Durability??

    /// The most messages that a topic may be told to keep.
    package static var maxHistory: Int { 100_000_000 }
    /// The most bytes that a topic may be told to keep.
    package static var maxHistoryBytes: Int { 1 << 40 }

    package init() {}

    /// Parses a body, which must be empty or a JSON object.
    ///
    /// - Parameter maxQueue: the largest `queue` accepted.
    package static func read(
        _ bytes: UnsafeRawBufferPointer,
        maxQueue: Int
    ) -> Result<TopicSettingsFields, CommandError> {
        var result = TopicSettingsFields()
        guard !bytes.isEmpty else { return .success(result) }
        if let fault = JSONDocument.fault(in: bytes) { return .failure(CommandError(message: "The body is \(fault)")) }
        let root = JSONMembers.root(of: bytes)
        guard root.kind == .object, var members = JSONMembers(of: root, in: bytes) else {
            return .failure(CommandError(message: "The body must be a JSON object"))
        }
        do throws(FieldError) {
            while let (name, value) = members.next() {
                try result.set(name.string(in: bytes) ?? "", to: value, in: bytes, maxQueue: maxQueue)
            }
            return .success(result)
        } catch {
            return .failure(CommandError(message: error.message))
        }
    }

    /// The names in ``set(_:to:in:maxQueue:)``, for messages.
    private static let names =
        "history, history_age, history_bytes, queue, overflow, durability, dedupe_window, ttl, topic_rate, topic_burst"

    mutating func set(
        _ name: String,
        to token: JSONToken,
        in bytes: UnsafeRawBufferPointer,
        maxQueue: Int
    ) throws(FieldError) {
        let value = FieldValue(name: name, token: token, bytes: bytes)
        switch name {
        case "history": history = .some(try value.integer(0...Self.maxHistory))
        case "history_age": historyAge = .some(try value.duration())
        case "history_bytes": historyBytes = .some(try value.integer(0...Self.maxHistoryBytes))
        case "queue": queue = .some(try value.integer(1...max(maxQueue, 1)))
        case "overflow": overflow = .some(try value.choice())
        case "durability": durability = .some(try value.choice())
        case "dedupe_window": dedupeWindow = .some(try value.duration())
        case "ttl": ttl = .some(try value.duration())
        case "topic_rate": topicRate = .some(try value.rate())
        case "topic_burst": topicBurst = .some(try value.integer(1...Rate.most))
        default:
            let shown = String(name.unicodeScalars.prefix(64))
            throw FieldError(message: "'\(shown)' is no setting of a topic; those are \(Self.names)")
        }
    }
}

/// The value of one member. `null` reads as `nil`.
private struct FieldValue {
    let name: String
    let token: JSONToken
    let bytes: UnsafeRawBufferPointer

    private var text: String { String(decoding: bytes[token.range], as: UTF8.self) }

    func integer(_ range: ClosedRange<Int>) throws(FieldError) -> Int? {
        if token.kind == .null { return nil }
        guard token.kind == .integer, let value = Int(text), range.contains(value) else {
            throw FieldError(
                message: "'\(name)' must be an integer from \(range.lowerBound) to \(range.upperBound), or null"
            )
        }
        return value
    }

    /// The duration in milliseconds, from a text such as `"1h"` or a number of seconds.
    func duration() throws(FieldError) -> Int64? {
        if token.kind == .null { return nil }
        guard let value = token.duration(in: bytes), (1...CommandScanner.maxTTL).contains(value)
        else {
            throw FieldError(
                message: #"'\#(name)' must be a duration such as "10m" or a number of seconds, at least 0.001, or null"#
            )
        }
        return value
    }

    /// The rate, from a text such as `"30/m"` or a number per second.
    func rate() throws(FieldError) -> Rate? {
        if token.kind == .null { return nil }
        let text = token.kind == .integer ? text : token.text?.string(in: bytes)
        guard let rate = text.flatMap({ Rate($0) }) else {
            throw FieldError(
                message: #"'\#(name)' must be a whole number of messages a second, text such as "30/m", or null"#
            )
        }
        return rate
    }

    /// One of the words of a closed list.
    func choice<Word: RawRepresentable<String> & CaseIterable>() throws(FieldError) -> Word? {
        if token.kind == .null { return nil }
        guard let word = token.text?.string(in: bytes).flatMap({ Word(rawValue: $0) }) else {
            let names = Word.allCases.map(\.rawValue).joined(separator: ", ")
            throw FieldError(message: "'\(name)' must be one of \(names), or null")
        }
        return word
    }
}
