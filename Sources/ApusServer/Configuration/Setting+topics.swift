import ApusBroker
import ApusProtocol

// Settings that declare topics or control their creation.

extension Setting {
    /// A setting with several words from a fixed set, in any order.
    static func words<Value: RawRepresentable<String> & CaseIterable & Hashable & Sendable>(
        _ key: String,
        _ path: any WritableKeyPath<ServerConfiguration, Set<Value>> & Sendable,
        _ summary: String
    ) -> Setting {
        Setting(
            key: key,
            flag: flag(key),
            environmentNames: environmentNames(key, []),
            summary: summary,
            isSecret: false,
            isList: false,
            apply: { raw, configuration in
                let texts: [String] =
                    switch raw {
                    case .text(let text): text.split(separator: ",", omittingEmptySubsequences: false).map(\.trimmed)
                    case .list(let texts): texts.map(\.trimmed)
                    }
                let words = texts.map { $0.lowercased() }
                let values = words.compactMap { Value(rawValue: $0) }
                switch words {
                case [], ["none"]: configuration[keyPath: path] = []
                case ["both"]: configuration[keyPath: path] = Set(Value.allCases)
                case _ where values.count == words.count: configuration[keyPath: path] = Set(values)
                default: return "is not " + Value.allCases.map(\.rawValue).joined(separator: ", ") + ", both, or none"
                }
                return nil
            },
            reveal: { configuration in
                .texts(Value.allCases.filter { configuration[keyPath: path].contains($0) }.map(\.rawValue))
            }
        )
    }

    /// The list of topics. A file may write it as a list of mappings; all other sources write it as JSON.
    static func topics(
        _ key: String,
        _ path: any WritableKeyPath<ServerConfiguration, [TopicDeclaration]> & Sendable,
        maxQueue: Int,
        _ summary: String
    ) -> Setting {
        Setting(
            key: key,
            flag: flag(key),
            environmentNames: environmentNames(key, []),
            summary: summary,
            isSecret: false,
            isList: false,
            isStructured: true,
            apply: { raw, configuration in
                guard case .text(let text) = raw else { return "is not a list of topics" }
                let list = TopicDeclaration.readList(text, maxQueue: maxQueue, isAllowed: TopicName.isAllowed)
                switch list {
                case .success(let topics): configuration[keyPath: path] = topics
                case .failure(let error): return "is not a list of topics: " + PlainText.escaped(error.message)
                }
                return nil
            },
            reveal: { .json("[" + $0[keyPath: path].map(\.json).joined(separator: ", ") + "]") }
        )
    }
}

extension TopicDeclaration {
    /// The declaration as JSON, as it may appear in a file.
    var json: String {
        var members = [#""name": "# + PlainText.quoted(name)]
        func add<Value>(_ key: String, _ value: Value??, _ text: (Value) -> String) {
            guard let value else { return }
            members.append(PlainText.quoted(key) + ": " + (value.map(text) ?? "null"))
        }
        func time(_ milliseconds: Int64) -> String { PlainText.quoted(DurationText.shortest(milliseconds)) }
        add("history", settings.history) { "\($0)" }
        add("history_age", settings.historyAge, time)
        add("history_bytes", settings.historyBytes) { "\($0)" }
        add("queue", settings.queue) { "\($0)" }
        add("overflow", settings.overflow) { PlainText.quoted($0.rawValue) }
        add("dedupe_window", settings.dedupeWindow, time)
        add("ttl", settings.ttl, time)
        return "{" + members.joined(separator: ", ") + "}"
    }
}
