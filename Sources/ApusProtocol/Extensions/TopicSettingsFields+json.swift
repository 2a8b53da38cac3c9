extension TopicSettingsFields {
    /// The settings that are given, as members of a JSON object. ``read(_:maxQueue:)`` reads such an object.
    package var members: [String] {
        var members: [String] = []
        func add<Value>(_ key: String, _ value: Value??, _ text: (Value) -> String) {
            guard let value else { return }
            members.append(#""\#(key)": "# + (value.map(text) ?? "null"))
        }
        func time(_ milliseconds: Int64) -> String { jsonString(DurationText.shortest(milliseconds)) }
        add("history", history) { "\($0)" }
        add("history_age", historyAge, time)
        add("history_bytes", historyBytes) { "\($0)" }
        add("queue", queue) { "\($0)" }
        add("overflow", overflow) { jsonString($0.rawValue) }
        add("dedupe_window", dedupeWindow, time)
        add("ttl", ttl, time)
        add("topic_rate", topicRate) { $0.json }
        add("topic_burst", topicBurst) { "\($0)" }
        add("durability", durability) { jsonString($0.rawValue) }
        return members
    }
}
