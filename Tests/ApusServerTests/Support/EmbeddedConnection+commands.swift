import ApusBroker
import Foundation

@testable import ApusServer

// The contract's commands, and what comes back, in few words.

extension ClientFrame {
    static let messageID = "550e8400-e29b-41d4-a716-446655440000"

    /// A `subscribe`; `more` has a comma before each member.
    static func subscribe(_ topic: String = "t", as clientID: String = "c", _ more: String = "") -> ClientFrame {
        .text(#"{"type":"subscribe","topic":"\#(topic)","client_id":"\#(clientID)"\#(more)}"#)
    }

    static func unsubscribe(_ topic: String = "t", as clientID: String = "c") -> ClientFrame {
        .text(#"{"type":"unsubscribe","topic":"\#(topic)","client_id":"\#(clientID)"}"#)
    }

    /// A `publish` of a number.
    static func publish(_ number: Int, to topic: String = "t", id: String = messageID, _ more: String = "")
        -> ClientFrame
    {
        .text(#"{"type":"publish","topic":"\#(topic)","message":\#(message(number, id: id))\#(more)}"#)
    }

    /// A `publish` of several.
    static func publish(batch numbers: [Int], to topic: String = "t", _ more: String = "") -> ClientFrame {
        let messages = numbers.map { message($0, id: numberedID($0)) }.joined(separator: ",")
        return .text(#"{"type":"publish","topic":"\#(topic)","messages":[\#(messages)]\#(more)}"#)
    }

    static func message(_ number: Int, id: String = messageID) -> String {
        #"{"id":"\#(id)","payload":\#(number)}"#
    }

    /// A UUID with that number in it.
    static func numberedID(_ number: Int) -> String {
        let text = String(number)
        return messageID.dropLast(text.count) + text
    }
}

extension EmbeddedLoop {
    /// A loop with a topic `t`.
    static func withTopic(
        history: Int? = nil,
        dedupeWindow: Int64? = nil,
        _ change: (inout ServerConfiguration) -> Void = { _ in }
    ) throws -> EmbeddedLoop {
        var settings = ServerConfiguration()
        change(&settings)
        let owner = try EmbeddedLoop(settings: settings)
        _ = try owner.broker.putTopic(named: "t") { topic in
            topic.history = history
            topic.dedupeWindow = dedupeWindow
        }
        return owner
    }

    var epoch: String { broker.topic(named: "t")?.epoch ?? "none" }
}

extension EmbeddedConnection {
    /// The texts without their times, and with `E` for the epoch of `t`.
    func lines() throws -> [String] {
        try frames().map { frame in
            if let close = frame.close { return close }
            let end = frame.text.range(of: #","ts":""#, options: .backwards)?.lowerBound ?? frame.text.endIndex
            return String(frame.text[..<end]).replacing("\"\(owner.epoch)\"", with: "\"E\"")
        }
    }

    /// The frames in short: `ack`, `event 5`, `error CODE`, `info topic_deleted`, `1001 SHUTDOWN`.
    func summary() throws -> [String] {
        try frames().map { frame in
            if let close = frame.close { return close }
            func member(_ name: String) -> String? {
                guard let range = frame.text.firstRange(of: "\"\(name)\":") else { return nil }
                return String(frame.text[range.upperBound...].prefix { !",}".contains($0) }.filter { $0 != "\"" })
            }
            let type = member("type") ?? "?"
            let detail = [member("payload"), member("code"), member("msg")].compactMap(\.self).first
            return detail.map { "\(type) \($0)" } ?? type
        }
    }
}
