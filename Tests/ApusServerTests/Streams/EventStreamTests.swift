import ApusBroker
import ApusProtocol
import ApusSockets
import ApusTLS
import NIOCore
import NIOEmbedded
import Testing

@testable import ApusServer

/// An event stream on a pair of sockets, with ticks at given times.
@Suite struct EventStreamTests {
    /// A stream of the topic `t`, and its client.
    private final class Rig {
        let owner: EmbeddedLoop
        let stream: EventStream
        private let server: Socket
        private let client: Socket
        private var isHungUp = false

        init(dialect: Dialect = .base, isPositioned: Bool = true, start: ReplayStart = .lastN(0), queue: Int? = nil)
            throws
        {
            owner = try EmbeddedLoop.withTopic()
            (server, client) = try Socket.pair()
            stream = EventStream(
                id: 1,
                dialect: dialect,
                isPositioned: isPositioned,
                access: .unlimited,
                caller: .unknown,
                context: owner.context,
                poller: owner.poller
            )
            owner.context.add(stream)
            _ = try owner.context.hub.subscribe(
                stream,
                SubscribeRequest(topic: "t", clientID: "sse", start: start, queue: queue, detail: .positioned),
                defaults: SubscriptionOptions(),
                limits: Hub.SubscriptionLimits(subscriptions: 10)
            )
            owner.context.beginBurst()
        }

        deinit {
            stream.end()
            hangUp()
        }

        func open(at position: String? = nil, telling news: [InfoMessage] = []) {
            stream.open(at: position, telling: news)
            stream.start(on: Transport(server), nil)
        }

        func publish(_ numbers: Int...) throws {
            let publisher = try EmbeddedConnection.pubSub(on: owner)
            for number in numbers { try publisher.send(.publish(number)) }
        }

        func send(_ text: String) {
            var text = text
            _ = text.withUTF8 { client.send(UnsafeRawBufferPointer($0)) }
        }

        func hangUp() {
            guard !isHungUp else { return }
            isHungUp = true
            client.close()
        }

        func run() {
            owner.eventLoop.run()
            owner.poller.poll(timeout: 0)
            owner.eventLoop.run()
        }

        /// What came since the last time, with `E` for the epoch and `T` for times.
        func received() -> String {
            run()
            var bytes: [UInt8] = []
            withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 1) { space in
                while case .bytes(let count) = client.receive(into: space), count > 0 {
                    bytes += space[..<count]
                    run()
                }
            }
            return String(decoding: bytes, as: UTF8.self)
                .replacing(owner.epoch, with: "E")
                .replacing(/"ts":"[^"]*"/, with: #""ts":"T""#)
                .replacing(/"timestamp":"[^"]*"/, with: #""timestamp":"T""#)
        }

        /// Whether the stream is over, for the loop.
        var isOver: Bool { owner.openStreams.value == 0 }

        /// Whether the client sees the end.
        var isClosedByServer: Bool {
            withUnsafeTemporaryAllocation(byteCount: 16, alignment: 1) { client.receive(into: $0) == .bytes(0) }
        }
    }

    private static func event(_ number: Int, _ id: String = "", _ time: String = "ts") -> String {
        let message = ClientFrame.message(number)
        return "event: message\n\(id)data: {\"type\":\"event\",\"topic\":\"t\",\"message\":\(message),"
            + "\"offset\":\(number),\"\(time)\":\"T\"}\n\n"
    }

    // MARK: Framing

    @Test func `a stream of one topic begins with its position, and each event has its own`() throws {
        let rig = try Rig()
        rig.open(at: "\(rig.owner.epoch):0")
        #expect(rig.received() == "retry: 2000\nid: E:0\n\n")
        try rig.publish(1, 2)
        #expect(rig.received() == Self.event(1, "id: E:1\n") + Self.event(2, "id: E:2\n"))
    }

    @Test func `a stream of many topics has no positions`() throws {
        let rig = try Rig(isPositioned: false)
        rig.open()
        #expect(rig.received() == "retry: 2000\n\n")
        try rig.publish(1)
        #expect(!rig.received().contains("id: E"))
    }

    @Test func `what was published before the socket came is sent when it comes`() throws {
        let rig = try Rig(start: .all)
        try rig.publish(1, 2)
        #expect(rig.received() == "")
        rig.open()
        #expect(rig.received().hasSuffix(Self.event(1, "id: E:1\n") + Self.event(2, "id: E:2\n")))
    }

    @Test func `news are events of their own, in the words of the dialect`() throws {
        for (dialect, time) in [(Dialect.base, "ts"), (.v1, "timestamp")] {
            let rig = try Rig(dialect: dialect)
            rig.open(telling: [.waiting(topicJSON: Array("\"t\"".utf8))])
            let text = rig.received()
            #expect(text.contains("event: info\ndata: {\"type\":\"info\",") && text.contains("\"\(time)\":\"T\"}\n\n"))
        }
    }

    // MARK: Signs of life

    @Test func `a silent stream shows every 15 s that it is alive`() throws {
        let rig = try Rig()
        rig.open()
        _ = rig.received()
        let start = rig.owner.context.monotonicNow()
        rig.stream.tick(now: start)
        rig.stream.tick(now: start + EventStream.heartbeat - 1)
        #expect(rig.received() == "")
        rig.stream.tick(now: start + EventStream.heartbeat)
        #expect(rig.received() == ":\n\n")
        rig.stream.tick(now: start + EventStream.heartbeat + 1)
        rig.stream.tick(now: start + 2 * EventStream.heartbeat)
        #expect(rig.received() == "")
    }

    @Test func `an event is a sign of life, too`() throws {
        let rig = try Rig()
        rig.open()
        let start = rig.owner.context.monotonicNow()
        rig.stream.tick(now: start)
        try rig.publish(1)
        _ = rig.received()
        rig.stream.tick(now: start + EventStream.heartbeat)
        #expect(rig.received() == "")
    }

    // MARK: Ends

    @Test func `a stream ends with its last topic, and its client is told`() throws {
        let rig = try Rig()
        rig.open()
        try rig.owner.broker.deleteTopic(named: "t")
        #expect(rig.received().contains("\"msg\":\"topic_deleted\""))
        // The client has the time that a closing WebSocket has.
        let finished = rig.owner.context.monotonicNow()
        rig.stream.tick(now: finished)
        #expect(!rig.isOver)
        rig.hangUp()
        rig.run()
        #expect(rig.isOver)
    }

    @Test func `a stream ends with its client`() throws {
        let rig = try Rig()
        rig.open()
        rig.hangUp()
        rig.run()
        #expect(rig.isOver && rig.owner.broker.topic(named: "t")?.subscriberCount == 0)
    }

    @Test func `what a client sends behind its request is ignored`() throws {
        let rig = try Rig()
        rig.open()
        _ = rig.received()
        rig.send("GET / HTTP/1.1\r\n\r\n")
        #expect(rig.received() == "" && !rig.isOver)
    }

    @Test func `a server that stops says when to come back`() throws {
        let rig = try Rig()
        rig.open()
        _ = rig.received()
        rig.owner.context.drain()
        let text = rig.received()
        #expect(text.contains("\"msg\":\"shutdown\"") && text.contains("\nretry: "))
        #expect(rig.isOver)
    }

    @Test func `a stream that was cancelled closes the socket that comes later`() throws {
        let rig = try Rig()
        rig.stream.end()
        #expect(rig.isOver)
        rig.open()
        #expect(rig.received() == "" && rig.isClosedByServer)
    }
}
