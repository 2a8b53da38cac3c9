/// Messages as a server sends them.
enum ServerText {
    static let time = "2026-11-21T10:00:00.000Z"

    /// The ack of a subscription with positions.
    static func subscribed(
        _ command: [String: String],
        epoch: String = "e1",
        offset: Int,
        recovered: Bool? = nil,
        missed: ClosedRange<Int>? = nil
    ) -> String {
        var text = ack(command) + ",\"epoch\":\"\(epoch)\",\"offset\":\(offset)"
        if let recovered { text += ",\"recovered\":\(recovered)" }
        if let missed { text += ",\"missed\":{\"from\":\(missed.lowerBound),\"to\":\(missed.upperBound)}" }
        return text + ",\"ts\":\"\(time)\"}"
    }

    /// The ack of a plain command.
    static func acked(_ command: [String: String]) -> String {
        ack(command) + ",\"ts\":\"\(time)\"}"
    }

    /// The ack of a subscribe whose topic is not there.
    static func waiting(_ command: [String: String]) -> String {
        ack(command) + ",\"waiting\":true,\"ts\":\"\(time)\"}"
    }

    /// The ack of a publish with outcome.
    static func published(_ command: [String: String], offset: Int, more: String = "") -> String {
        let outcome = #","epoch":"e1","offset":\#(offset),"subscribers":3,"stored":"memory","duplicate":false"#
        return ack(command) + outcome + more + ",\"ts\":\"\(time)\"}"
    }

    private static func ack(_ command: [String: String]) -> String {
        let requestID = command["request_id"] ?? ""
        return
            #"{"type":"ack","request_id":"\#(requestID)","topic":"\#(command["topic"] ?? "")","status":"ok""#
    }

    static func event(_ topic: String, _ payload: Int, offset: Int? = nil, padding: Int = 0) -> String {
        let spaces = String(repeating: " ", count: padding)
        let place = offset.map { ",\"offset\":\($0)" } ?? ""
        return #"{"type":"event","topic":"\#(topic)","message":{"id":"m\#(payload)","payload":\#(payload)\#(spaces)}"#
            + place + ",\"ts\":\"\(time)\"}"
    }

    static func error(_ code: String, _ command: [String: String]) -> String {
        let requestID = command["request_id"] ?? ""
        return
            #"{"type":"error","request_id":"\#(requestID)","error":{"code":"\#(code)","message":"No"},"ts":"\#(time)"}"#
    }

    static func rateLimited(_ command: [String: String], retryAfter: Int) -> String {
        error("RATE_LIMITED", command).replacing(#""No"}"#, with: #""No","retry_after_ms":\#(retryAfter)}"#)
    }

    static func info(_ message: String, _ more: String = "") -> String {
        #"{"type":"info","msg":"\#(message)"\#(more.isEmpty ? "" : "," + more),"ts":"\#(time)"}"#
    }
}
