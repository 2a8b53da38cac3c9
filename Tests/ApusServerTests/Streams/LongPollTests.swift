import ApusBroker
import ApusProtocol
import NIOCore
import NIOEmbedded
import Testing

@testable import ApusServer

/// A request that waits in a topic, on a clock that goes on when it is told to.
@Suite struct LongPollTests {
    private let owner: EmbeddedLoop
    private let answered: NIOLoopBoundBox<Bool>
    private let poll: LongPoll

    init() throws {
        owner = try EmbeddedLoop.withTopic()
        let answered = NIOLoopBoundBox(false, eventLoop: owner.eventLoop)
        let promise = owner.eventLoop.makePromise(of: Void.self)
        promise.futureResult.whenSuccess { answered.value = true }
        self.answered = answered
        poll = LongPoll(
            context: owner.context,
            peer: SubscriberPeer(connection: 1, address: "", transport: "poll"),
            access: .unlimited,
            wait: 5000,
            promise: promise
        )
        owner.context.add(poll)
        var request = SubscribeRequest(topic: "t", clientID: "poll")
        request.isAnnounced = false
        _ = try owner.context.hub.subscribe(
            poll,
            request,
            defaults: SubscriptionOptions(),
            limits: Hub.SubscriptionLimits(subscriptions: 10)
        )
    }

    /// Whether the poll is answered, and nothing is left of it.
    private var isOver: Bool {
        owner.eventLoop.run()
        let subscribers = owner.broker.topic(named: "t")?.subscriberCount ?? 0
        #expect((owner.openStreams.value == 0 && subscribers == 0) == answered.value)
        return answered.value
    }

    @Test func `a poll ends with the first message`() throws {
        #expect(!isOver)
        try EmbeddedConnection.pubSub(on: owner).send(.publish(1))
        #expect(isOver)
    }

    @Test func `a poll ends when its time is up`() {
        owner.eventLoop.advanceTime(by: .milliseconds(4999))
        #expect(!isOver)
        owner.eventLoop.advanceTime(by: .milliseconds(1))
        #expect(isOver)
    }

    @Test func `a poll ends with its topic`() throws {
        try owner.broker.deleteTopic(named: "t")
        #expect(isOver)
    }

    @Test func `a poll ends with the server`() {
        owner.context.drain()
        #expect(isOver)
    }

    @Test func `the end comes once, and its time does not come after it`() {
        poll.end()
        poll.end()
        #expect(isOver)
        owner.eventLoop.advanceTime(by: .seconds(10))
        #expect(isOver && !poll.isWritable)
    }
}
