import ApusClient
import ApusProtocol

/// An event to publish again.
struct ReplayEvent: Equatable {
    let topic: String
    let id: String
    let key: String?
    let offset: Int?
    let payload: JSONText
    /// When it was published; empty if the line does not say.
    let time: String

    var milliseconds: Int64? { Timestamp.milliseconds(rfc3339: time) }

    var subject: FilterSubject {
        FilterSubject(topic: topic, key: key, id: id, offset: offset, time: time, payload: payload)
    }

    /// An event as `apus sub --json`, `apus data export` or a page of history has it.
    ///
    /// - Parameter topic: the topic for an event that names none.
    init?(_ members: [String: JSONText], topic: String?) {
        guard let message = members["message"]?.members, let payload = message["payload"],
            let topic = members["topic"]?.stringValue ?? topic
        else { return nil }
        self.topic = topic
        self.payload = payload
        id = message["id"]?.stringValue ?? ""
        key = members["key"]?.stringValue
        offset = members["offset"]?.integerValue
        time = (members["ts"] ?? members["timestamp"])?.stringValue ?? ""
    }
}

/// Reads the lines of a file of events.
struct ReplayLines {
    enum Line: Equatable {
        case event(ReplayEvent)
        /// Nothing to publish: the head of a topic in an export, or what an export says about offsets.
        case other
        case bad(String)
    }

    /// The topic that an export has named last.
    private var topic: String?
    private let fallback: String?

    /// - Parameter fallback: the topic of events that name none.
    init(fallback: String?) {
        self.fallback = fallback
    }

    mutating func read(_ text: String) -> Line {
        guard let members = JSONText(parsing: text)?.members else { return .bad("not a JSON object") }
        if members["message"] == nil {
            if let name = members["topic"]?.stringValue, members["epoch"] != nil {
                topic = name
                return .other
            }
            if members["expired"] != nil || members["missed"] != nil { return .other }
            return .bad("no event: it has no \"message\"")
        }
        if let event = ReplayEvent(members, topic: topic ?? fallback) { return .event(event) }
        if members["message"]?.members?["payload"] == nil { return .bad("no event: its message has no \"payload\"") }
        return .bad("it names no topic; say where it goes with --to")
    }
}
