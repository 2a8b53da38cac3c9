import ApusProtocol

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
        add("topic_rate", settings.topicRate) { $0.json }
        add("topic_burst", settings.topicBurst) { "\($0)" }
        add("durability", settings.durability) { PlainText.quoted($0.rawValue) }
        return "{" + members.joined(separator: ", ") + "}"
    }
}
