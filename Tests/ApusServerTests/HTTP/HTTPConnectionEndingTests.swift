import ApusBroker
import ApusProtocol
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import ApusServer

/// Deadlines, clients that leave, and shutdown, on a clock that goes on when it is told to.
@Suite struct HTTPConnectionEndingTests {
    private static let get = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
    private static let post = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"

    @Test func `nothing of a connection is left when it has ended`() throws {
        weak var handler: HTTPConnectionHandler?
        do {
            let http = try EmbeddedHTTP()
            handler = http.handler
            try http.send(Self.get)
            http.route.answer()
            #expect(http.request != nil && handler != nil)
            http.disconnect()
        }
        #expect(handler == nil)
    }

    // MARK: Deadlines

    @Test func `a client that sends nothing is cut, and one that has begun is told why`() throws {
        let silent = try EmbeddedHTTP()
        silent.advance(.seconds(9))
        #expect(silent.closes.isEmpty)
        silent.advance(.seconds(1))
        #expect(silent.closes == ["all"])
        #expect(try silent.received() == "")

        let slow = try EmbeddedHTTP()
        try slow.send("GET /a HTTP/1.1\r\n")
        slow.advance(.seconds(10))
        #expect(try slow.statuses() == ["408"])
        #expect(slow.closes == ["output"])
    }

    @Test func `a second head that drips is timed out from its first byte`() throws {
        let http = try EmbeddedHTTP()
        try http.send(Self.get)
        http.route.answer()
        http.advance(.seconds(20))
        for byte in "GET /abcde" {
            try http.send(String(byte))
            http.advance(.milliseconds(900))
        }
        #expect(try http.statuses() == ["200"])
        http.advance(.seconds(1))
        #expect(try http.statuses() == ["408"])
    }

    @Test func `a body that hangs is timed out by the router's answer`() throws {
        let http = try EmbeddedHTTP()
        try http.send(Self.post + "hello")
        http.advance(.seconds(10))
        // The few bytes of the body have given it a fraction of a second.
        http.advance(.seconds(1))
        #expect(http.route.takeSeen() == ["POST /a", "body 5", "fault 408"])
        http.route.answer(.requestTimeout)
        #expect(try http.statuses() == ["408"])
        #expect(http.closes == ["output"])
    }

    @Test func `an idle connection is closed, and one whose router works is not`() throws {
        let http = try EmbeddedHTTP()
        try http.send(Self.get)
        http.advance(.minutes(10))
        #expect(http.closes.isEmpty)
        http.route.answer()
        http.advance(.seconds(74))
        #expect(http.closes.isEmpty)
        http.advance(.seconds(1))
        #expect(http.closes == ["all"])
    }

    @Test func `requests put the idle timeout off`() throws {
        let http = try EmbeddedHTTP()
        for _ in 0..<5 {
            try http.send(Self.get)
            http.route.answer()
            http.advance(.seconds(70))
        }
        #expect(http.closes.isEmpty)
        http.advance(.seconds(5))
        #expect(http.closes == ["all"])
    }

    // MARK: Clients that leave

    @Test func `a client that closes its side after a request gets the answer first`() throws {
        let http = try EmbeddedHTTP()
        try http.send(Self.get)
        http.halfClose()
        #expect(http.closes.isEmpty)
        http.route.answer(.ok, "hello")
        #expect(try http.received().hasSuffix("hello"))
        #expect(http.route.takeSeen() == ["GET /a", "end", "no more"])
        http.route.closeOutput()
        http.loop.run()
        #expect(http.closes == ["all"])
    }

    @Test func `a client that closes its side without a request is closed`() throws {
        let http = try EmbeddedHTTP()
        http.halfClose()
        #expect(http.closes == ["all"])
        #expect(http.request == nil)
    }

    /// How a client leaves.
    enum Leaving: CaseIterable {
        case before, halfClosing, disconnecting

        func leave(_ http: EmbeddedHTTP) {
            if self == .disconnecting { http.disconnect() } else { http.halfClose() }
        }
    }

    @Test(arguments: Leaving.allCases)
    func `a long poll ends with its client`(leaving: Leaving) throws {
        let http = try EmbeddedHTTP()
        let owner = try EmbeddedLoop.withTopic()
        try http.send(Self.get)
        if leaving == .before { leaving.leave(http) }
        let promise = owner.eventLoop.makePromise(of: Void.self)
        let isOver = NIOLoopBoundBox(false, eventLoop: owner.eventLoop)
        promise.futureResult.whenSuccess { isOver.value = true }
        let poll = LongPoll(
            context: owner.context,
            peer: SubscriberPeer(connection: 1, address: "", transport: "poll"),
            access: .unlimited,
            wait: 60_000,
            promise: promise
        )
        owner.context.add(poll)
        _ = try owner.context.hub.subscribe(
            poll,
            SubscribeRequest(topic: "t", clientID: "poll", start: .lastN(0)),
            defaults: SubscriptionOptions(),
            limits: Hub.SubscriptionLimits(subscriptions: 10)
        )
        try #require(http.request).endWithClient { poll.end() }
        if leaving != .before {
            #expect(owner.openStreams.value == 1)
            leaving.leave(http)
        }
        #expect(owner.openStreams.value == 0)
        #expect(owner.broker.topic(named: "t")?.subscriberCount == 0)
        #expect(isOver.value)
        guard leaving != .disconnecting else { return }
        http.route.answer(.ok, "[]")
        #expect(try http.statuses() == ["200"])
    }

    @Test func `an answered request waits for nothing any more`() throws {
        let http = try EmbeddedHTTP()
        var ended = 0
        try http.send(Self.get)
        http.handler.endWithClient { ended += 1 }
        http.route.answer()
        http.halfClose()
        #expect(ended == 0)
        // Behind the end of the input, none waits.
        http.handler.endWithClient { ended += 1 }
        #expect(ended == 1)
    }

    @Test func `a request that broke off does not wait`() throws {
        let http = try EmbeddedHTTP()
        var ended = 0
        try http.send(Self.post)
        http.handler.endWithClient { ended += 1 }
        try http.send("01234")
        http.advance(.seconds(11))
        #expect(ended == 1)
        http.handler.endWithClient { ended += 1 }
        #expect(ended == 2)
    }

    // MARK: Shutdown

    @Test func `a connection without a request is closed at once`() throws {
        for staysForDrain in [true, false] {
            let http = try EmbeddedHTTP(staysForDrain: staysForDrain)
            http.quiesce()
            #expect(http.closes == ["all"])
        }
    }

    @Test func `an idle connection is closed after the drain, and serves requests until then`() throws {
        let http = try EmbeddedHTTP()
        try http.send(Self.get)
        http.route.answer()
        http.quiesce()
        #expect(http.closes.isEmpty)
        try http.send(Self.get)
        http.route.answer(.serviceUnavailable)
        #expect(try http.statuses() == ["200", "503"])
        http.gate.finishDrain()
        #expect(http.closes == ["all"])
    }

    @Test func `an idle connection is closed at once where nothing drains`() throws {
        let http = try EmbeddedHTTP(staysForDrain: false)
        try http.send(Self.get)
        http.route.answer()
        http.quiesce()
        #expect(http.closes == ["all"])
    }

    @Test func `a request in flight is answered, and then the connection ends`() throws {
        let http = try EmbeddedHTTP()
        try http.send(Self.get)
        http.quiesce()
        http.gate.finishDrain()
        #expect(http.closes.isEmpty)
        http.route.answer(.ok, "hello")
        #expect(try http.received().hasSuffix("hello"))
        #expect(http.closes == ["all"])
    }

    @Test func `what waits is ended where nothing drains`() throws {
        let http = try EmbeddedHTTP(staysForDrain: false)
        var ended = 0
        try http.send(Self.get)
        http.handler.endWithClient { ended += 1 }
        http.quiesce()
        #expect(ended == 1)
        http.route.answer()
        #expect(http.closes == ["all"])
    }

    @Test func `of requests that came at once, the one in flight is the last`() throws {
        let http = try EmbeddedHTTP(staysForDrain: false)
        try http.send(Self.get + Self.get)
        http.quiesce()
        http.route.answer()
        #expect(try http.statuses() == ["200"])
        #expect(http.closes == ["all"])
        #expect(http.route.takeSeen() == ["GET /a", "end"])
    }

    @Test func `a drain that is over does not touch a connection that is closed`() throws {
        let http = try EmbeddedHTTP()
        try http.send(Self.get)
        http.quiesce()
        http.disconnect()
        http.gate.finishDrain()
        #expect(http.closes == ["all"])
    }
}
