import ApusClient

/// Formats events as lines, for people or as JSON.
struct EventPrinter: Sendable {
    /// The form of events as JSON.
    struct Form: Sendable {
        /// `ts` or `timestamp`, depending on the dialect.
        var timeKey = "ts"
        /// Whether events include their key and offset, as for a subscriber that asks for them.
        var isExtended = false
    }

    private let topicWidth: Int
    private let isReadable: Bool
    private let form: Form

    init(topics: [String], isReadable: Bool, form: Form = Form()) {
        topicWidth = topics.map(\.count).max() ?? 0
        self.isReadable = isReadable
        self.form = form
    }

    /// The line for an event, with its line end.
    func line(for event: ApusClient.Event) -> String {
        if isReadable { return readableLine(event.topic, event.payload, event.time) + "\n" }
        let text = json(for: event)
        // A published payload may contain line ends between its tokens. Replace them, so that one event stays one line.
        guard text.utf8.contains(where: { $0 == 0x0A || $0 == 0x0D }) else { return text + "\n" }
        return String(text.map { $0.isNewline && $0.isASCII ? " " : $0 }) + "\n"
    }

    /// The event as the server sends it, byte for byte, except for members that were not asked for.
    private func json(for event: ApusClient.Event) -> String {
        var text = "{\"type\":\"event\",\"topic\":\(JSONText.string(event.topic)),\"message\":\(event.message)"
        if form.isExtended {
            if let key = event.key { text += ",\"key\":\(JSONText.string(key))" }
            if let position = event.position { text += ",\"offset\":\(position.offset)" }
        }
        return text + ",\"\(form.timeKey)\":\(JSONText.string(event.time))}"
    }

    /// A readable line such as `10:00:00.123 orders {"x":1}`.
    func readableLine(for event: ServerMessage.Event) -> String {
        readableLine(event.topic, event.payload, event.time)
    }

    private func readableLine(_ topic: String, _ payload: JSONText, _ time: String) -> String {
        let topic = Terminal.printable(topic)
        let padding = String(repeating: " ", count: max(0, topicWidth - topic.count))
        return Terminal.styled(Self.clock(time), .dim) + " " + Terminal.styled(topic, .cyan) + padding + "  "
            + Terminal.printable(payload.text)
    }

    /// The time of day in an RFC 3339 time.
    static func clock(_ time: String) -> String {
        guard let start = time.firstIndex(of: "T") else { return Terminal.printable(time) }
        return Terminal.printable(String(time[start...].dropFirst().prefix { $0 != "Z" && $0 != "+" && $0 != "-" }))
    }
}
