import ApusClient
import NIOCore

/// Reads a topic's events over one transport.
protocol EventReader: Sendable {
    /// Connects, subscribes after `position` (`nil` means from now on), and passes on everything it receives.
    ///
    /// Returns when `handle` returns `false`, when the plan's time is over, or when the server ends the connection. In
    /// the first two cases the socket is closed as if the machine had crashed. Throws if there is no connection.
    func read(
        after position: LogPosition?,
        plan: SessionPlan,
        handle: ([Arrival]) async throws -> Bool
    ) async throws
}

extension EventReader {
    /// How many messages are taken at once. A slow reader takes few, so that some stay on the server.
    func batchLimit(_ plan: SessionPlan) -> Int { plan.isSlow ? 8 : 64 }
}

extension Arrival {
    /// Parses a server message about `topic`; `nil` for a message that is irrelevant to a subscriber.
    ///
    /// `knownOffset` is an offset from outside the message, such as the `id` of an SSE frame.
    init?(text: String, topic: String, knownOffset: Int? = nil) {
        guard let members = JSONText(unchecked: text).members, let type = members["type"]?.stringValue else {
            self = .fault("not a message: \(text.prefix(200))")
            return
        }
        switch type {
        case "event":
            self = Self.event(members, topic: topic, knownOffset: knownOffset)
        case "ack":
            self = Self.start(members, text: text)
        case "info":
            guard let info = Self.info(members, topic: topic) else { return nil }
            self = info
        case "error":
            let error = members["error"]?.members
            let code = error?["code"]?.stringValue ?? "?"
            self = .ended(code: code)
        default:
            return nil
        }
    }

    private static func event(_ members: [String: JSONText], topic: String, knownOffset: Int?) -> Arrival {
        guard members["topic"]?.stringValue == topic else {
            return .fault("an event of topic \(members["topic"]?.text ?? "(none)")")
        }
        let offset = members["offset"]?.integerValue
        guard let offset = knownOffset ?? offset, offset > 0 else { return .fault("an event without its offset") }
        if let inner = members["offset"]?.integerValue, inner != offset {
            return .fault("an event with offset \(inner) in a frame with offset \(offset)")
        }
        let payload = members["message"]?.members?["payload"]
        return .event(SeenEvent(offset: offset, label: payload.flatMap(VerifyPayload.label)))
    }

    private static func start(_ members: [String: JSONText], text: String) -> Arrival {
        guard let epoch = members["epoch"]?.stringValue, let offset = members["offset"]?.integerValue else {
            return .fault("an ack without a position: \(text.prefix(200))")
        }
        return .started(
            Start(
                position: LogPosition(epoch: epoch, offset: offset),
                recovered: members["recovered"].map { $0.text == "true" },
                missed: range(members["missed"])
            )
        )
    }

    private static func info(_ members: [String: JSONText], topic: String) -> Arrival? {
        let about = members["topic"]?.stringValue
        switch members["msg"]?.stringValue {
        case "messages_dropped" where about == topic:
            return .dropped(
                count: members["dropped"]?.integerValue ?? 0,
                from: members["from"]?.integerValue,
                to: members["to"]?.integerValue
            )
        case "topic_deleted" where about == topic:
            return .topicDeleted
        case "not_recovered" where about == topic:
            // An event stream has no ack. This message contains the same information.
            return start(members, text: "not_recovered")
        case "messages_dropped", "topic_deleted", "not_recovered":
            return .fault("news of topic \(about ?? "(none)")")
        default:
            return nil
        }
    }

    /// Parses a range such as `{"from":42,"to":57}`.
    private static func range(_ value: JSONText?) -> ClosedRange<Int>? {
        guard let members = value?.members, let from = members["from"]?.integerValue,
            let to = members["to"]?.integerValue, from <= to
        else { return nil }
        return from...to
    }
}
