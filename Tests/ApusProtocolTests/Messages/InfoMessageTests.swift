import ApusProtocol
import Foundation
import NIOCore
import Testing

@Suite struct InfoMessageTests {
    private static let topic = Array(#""a\"b""#.utf8)
    private static let all: [(InfoMessage, String)] = [
        (.heartbeat, #","msg":"ping""#),
        (
            .messagesDropped(topicJSON: topic, count: 37, range: nil),
            #","topic":"a\"b","msg":"messages_dropped","dropped":37"#
        ),
        (
            .messagesDropped(topicJSON: topic, count: 37, range: 42...78),
            #","topic":"a\"b","msg":"messages_dropped","dropped":37,"from":42,"to":78"#
        ),
        (
            .messagesDropped(topicJSON: topic, count: .max, range: 1...1),
            #","topic":"a\"b","msg":"messages_dropped","dropped":18446744073709551615,"from":1,"to":1"#
        ),
        (.topicDeleted(topicJSON: topic), #","topic":"a\"b","msg":"topic_deleted""#),
        (.waiting(topicJSON: topic), #","topic":"a\"b","msg":"waiting""#),
        (
            .topicCreated(topicJSON: topic, epoch: "k3v9"),
            #","topic":"a\"b","msg":"topic_created","epoch":"k3v9""#
        ),
        (
            .notRecovered(topicJSON: topic, epoch: "k3v9", offset: 0, missed: nil),
            #","topic":"a\"b","msg":"not_recovered","epoch":"k3v9","offset":0,"recovered":false"#
        ),
        (
            .notRecovered(topicJSON: topic, epoch: "k3v9", offset: 57, missed: 42...57),
            #","topic":"a\"b","msg":"not_recovered","epoch":"k3v9","offset":57,"recovered":false,"missed":{"from":42,"to":57}"#
        ),
        (
            .slowConsumerWarning(topicJSON: topic, lag: 812, queue: 1000),
            #","topic":"a\"b","msg":"slow_consumer_warning","lag":812,"queue":1000"#
        ),
        (
            .presence(topicJSON: topic, hasJoined: true, clientID: "x\n\"é"),
            #","topic":"a\"b","msg":"joined","client_id":"x\n\"é""#
        ),
        (
            .presence(topicJSON: topic, hasJoined: false, clientID: "x"),
            #","topic":"a\"b","msg":"left","client_id":"x""#
        ),
        (.presenceDropped(topicJSON: topic, count: 5), #","topic":"a\"b","msg":"presence_dropped","dropped":5"#),
        (.shutdown(reconnectAfter: 1500), #","msg":"shutdown","reconnect_after_ms":1500"#),
    ]

    @Test func `each says what the contract has for it, and not a byte more`() {
        for (info, members) in Self.all { #expect(info.members == members) }
    }

    @Test func `each is a text frame of its own, in both dialects`() throws {
        let time = Timestamp(milliseconds: 1_756_116_000_123)
        for dialect in Dialect.allCases {
            let key = dialect == .base ? "ts" : "timestamp"
            for (info, members) in Self.all {
                var buffer = ByteBuffer()
                MessageEncoder(dialect: dialect).info(info, time: time, to: &buffer)
                let text = #"{"type":"info"\#(members),"\#(key)":"2025-08-25T10:00:00.123Z"}"#
                #expect(Array(buffer.readableBytesView) == textFrame(text))
                #expect(try JSONSerialization.jsonObject(with: Data(text.utf8)) is [String: Any])
            }
        }
    }

    @Test func `a long client id makes a long frame`() {
        for count in [1, 30, 60, 65_400, 65_500, 70_000] {
            let clientID = String(repeating: "c", count: count)
            var buffer = ByteBuffer()
            let info = InfoMessage.presence(topicJSON: Self.topic, hasJoined: true, clientID: clientID)
            MessageEncoder(dialect: .base).info(info, time: Timestamp(milliseconds: 0), to: &buffer)
            let text =
                #"{"type":"info","topic":"a\"b","msg":"joined","client_id":"\#(clientID)","ts":"1970-01-01T00:00:00.000Z"}"#
            #expect(Array(buffer.readableBytesView) == textFrame(text))
        }
    }
}
