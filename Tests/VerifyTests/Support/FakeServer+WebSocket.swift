import ApusClient
import Foundation
import NIOCore
import NIOWebSocket

@testable import ApusVerify

extension FakeServer {
    /// A message of a batch.
    private struct Message: Decodable {
        let id: String
        let payload: VerifyPayload

        var text: String { "{\"id\":\"\(id)\",\"payload\":\(payload.json)}" }
    }

    func serve(_ channel: WebSocketChannel) async throws {
        try await channel.executeThenClose { inbound, outbound in
            try await withThrowingTaskGroup(of: Void.self) { group in
                defer { group.cancelAll() }
                for try await frame in inbound {
                    switch frame.opcode {
                    case .connectionClose:
                        let close = WebSocketFrame(fin: true, opcode: .connectionClose, data: ByteBuffer())
                        return try await outbound.write(close)
                    case .text, .binary:
                        let text = String(buffer: frame.unmaskedData)
                        guard try await command(text, outbound, &group) else { return }
                    default:
                        break
                    }
                }
            }
        }
    }

    /// Does a command; false when the connection is to be broken.
    private func command(
        _ text: String,
        _ outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>,
        _ group: inout ThrowingTaskGroup<Void, any Error>
    ) async throws -> Bool {
        guard let members = JSONText(unchecked: text).members, let topic = members["topic"]?.stringValue else {
            return false
        }
        let request = members["request_id"]?.text ?? "null"
        func error(_ code: String) -> String {
            "{\"type\":\"error\",\"request_id\":\(request),\"error\":{\"code\":\"\(code)\",\"message\":\"\"},\"ts\":\"\"}"
        }
        if members["type"]?.stringValue == "publish" {
            let single = members["message"].map { [$0.text] }
            let batch = try members["messages"]?.decode([Message].self).map(\.text)
            guard let messages = single ?? batch else { return false }
            guard let outcome = broker.publish(messages, to: topic) else {
                try await send(error("TOPIC_NOT_FOUND"), outbound)
                return true
            }
            if outcome.isBroken { return false }
            let count = batch == nil ? "" : "\"count\":\(messages.count),"
            let ack =
                "{\"type\":\"ack\",\"request_id\":\(request),\"topic\":\"\(topic)\",\"status\":\"ok\",\(count)"
                + "\"epoch\":\"\(outcome.epoch)\",\"offset\":\(outcome.offset),\"duplicate\":false,\"ts\":\"\"}"
            try await send(outcome.isRefused ? error("OVERLOADED") : ack, outbound)
            return true
        }
        guard let known = broker.topic(topic) else {
            try await send(error("TOPIC_NOT_FOUND"), outbound)
            return true
        }
        let since = members["since"]?.members
        let resumption = Resumption(broker: broker, topic: known, offset: since?["offset"]?.integerValue)
        let ack =
            "{\"type\":\"ack\",\"request_id\":\(request),\"topic\":\"\(topic)\",\"status\":\"ok\","
            + "\"epoch\":\"\(known.epoch)\",\"offset\":\(resumption.start)\(resumption.members),\"ts\":\"\"}"
        try await send(ack, outbound)
        let cursor = FakeCursor(broker: broker, topic: topic, offset: resumption.start, isResumed: since != nil)
        group.addTask { try await follow(cursor) { try await send($0.text, outbound) } }
        return true
    }

    private func send(_ text: String, _ outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>) async throws {
        try await outbound.write(WebSocketFrame(fin: true, opcode: .text, data: ByteBuffer(string: text)))
    }

    /// One message of a subscription.
    struct Push: Sendable {
        let offset: Int?
        let text: String
    }

    /// Hands over what a topic has and gets, until the connection ends.
    func follow(_ start: FakeCursor, _ send: (Push) async throws -> Void) async throws {
        var cursor = start
        while let items = cursor.next(limit: 50) {
            for item in items {
                try await send(push(item, topic: cursor.topic))
                if case .event = item { broker.countDelivered(1) }
            }
            if items.isEmpty { try await Task.sleep(for: .milliseconds(2)) }
        }
    }

    private func push(_ item: FakeCursor.Item, topic: String) -> Push {
        switch item {
        case .event(let offset, let message):
            Push(
                offset: offset,
                text: "{\"type\":\"event\",\"topic\":\"\(topic)\",\"message\":\(message),"
                    + "\"offset\":\(offset),\"ts\":\"\"}"
            )
        case .dropped(let offset):
            Push(
                offset: nil,
                text: "{\"type\":\"info\",\"topic\":\"\(topic)\",\"msg\":\"messages_dropped\",\"dropped\":1,"
                    + "\"from\":\(offset),\"to\":\(offset),\"ts\":\"\"}"
            )
        case .foreign:
            Push(
                offset: 1,
                text: #"{"type":"event","topic":"another","message":{"id":"","payload":1},"offset":1,"ts":""}"#
            )
        }
    }
}

/// Where a subscription begins, and what its ack says of it.
struct Resumption {
    let start: Int
    /// Further members of the ack.
    let members: String

    init(broker: FakeBroker, topic: FakeBroker.Topic, offset: Int?) {
        guard let offset else {
            start = topic.last
            members = ""
            return
        }
        if broker.fault == .forgetsOnResume, offset > 3, offset + 2 <= topic.last {
            start = offset + 2
            members = ",\"recovered\":false,\"missed\":{\"from\":\(offset + 1),\"to\":\(offset + 2)}"
        } else {
            start = offset
            members = ",\"recovered\":true"
        }
    }
}
