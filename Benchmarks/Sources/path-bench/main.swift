import ApusBroker
import ApusProtocol
import NIOCore

// path-bench MESSAGES WINDOW SUBSCRIBERS: the plain path from a command's text to the subscribers' frames, without sockets: scan,
// publish, ack, and a turn of the hub after every WINDOW messages. Does nothing but that, so that its instructions can be counted.

/// A subscriber whose socket takes everything.
private final class Sink: Subscriber {
    let dialect = Dialect.base
    let framing = EventEncoding.Framing.webSocket
    let peer = SubscriberPeer(connection: 0, address: "", transport: "websocket")
    let origin: UInt32 = 1
    let isWritable = true
    var subscriptions = SubscriptionSet()
    private(set) var bytes = 0

    func deliver(_ frames: ByteBuffer) { bytes += frames.readableBytes }
    func flush() {}
    func notify(_ notice: SubscriberNotice) {}
}

let numbers = CommandLine.arguments.dropFirst().compactMap { Int($0) }
guard numbers.count == 3, numbers[1] > 0 else { fatalError("usage: path-bench MESSAGES WINDOW SUBSCRIBERS") }
let (count, window) = (numbers[0], numbers[1])

private let sinks = (0..<numbers[2]).map { _ in Sink() }
let broker = MemoryBroker()
let hub = Hub(broker: broker, mailbox: HubMailbox {}) { 0 }
try broker.createTopic(named: "t")
for (number, sink) in sinks.enumerated() {
    _ = try hub.subscribe(
        sink,
        SubscribeRequest(topic: "t", clientID: "c\(number)"),
        defaults: SubscriptionOptions(),
        limits: Hub.SubscriptionLimits(subscriptions: 1)
    )
}
hub.turn()

let payload = String(repeating: "x", count: 128)
let message = #"{"id":"550e8400-e29b-41d4-a716-446655440000","payload":"\#(payload)"}"#
let text = Array(#"{"type":"publish","topic":"t","message":\#(message),"request_id":"r1"}"#.utf8)
let scanner = CommandScanner()
let encoder = MessageEncoder(dialect: .base)
let time = Timestamp(milliseconds: 1_756_116_000_123)
var replies = ByteBuffer()
text.withUnsafeBytes { bytes in
    for number in 1...max(count, 1) {
        guard case .success(let command) = scanner.scan(bytes, dialect: .base, knownValidUTF8: true),
            let result = hub.publish(
                UnsafeRawBufferPointer(rebasing: bytes[command.message]),
                toTopicNamed: UnsafeRawBufferPointer(rebasing: bytes[command.topic.range]),
                time: time,
                origin: 2
            )
        else { fatalError("the command was not taken") }
        encoder.ack(
            requestID: command.requestID.map { UnsafeRawBufferPointer(rebasing: bytes[$0]) },
            topicJSON: result.topic.template.topicJSON,
            time: time,
            to: &replies
        )
        if number % window == 0 {
            replies.clear()
            hub.turn()
        }
    }
}
hub.turn()
print(sinks.reduce(0) { $0 + $1.bytes })
