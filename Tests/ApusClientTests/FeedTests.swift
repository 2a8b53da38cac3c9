import ApusProtocol
import Testing

@testable import ApusClient

@Suite("A subscription whose topic is not there")
struct FeedTests {
    private typealias Kind = ApusClient.Notice.Kind

    private func feed(_ start: ApusClient.Start = .live, waits: Bool = false, _ topic: String = "t") -> Feed {
        var options = ApusClient.SubscribeOptions(start: start)
        options.waitsForTopic = waits
        return Feed(filter: TopicSelection(topic), options: options)
    }

    private func ack(_ place: String? = nil, recovered: Bool? = nil, waiting: Bool = false) -> ServerMessage.Ack {
        let position = place.flatMap { ApusClient.Position($0) }
        var ack = ServerMessage.Ack(requestID: nil, topic: "t", time: "T")
        ack.epoch = position?.epoch
        ack.offset = position?.offset
        ack.isRecovered = recovered
        ack.isWaiting = waiting
        return ack
    }

    private func info(_ message: String, epoch: String? = nil) -> ServerMessage.Info {
        ServerMessage.Info(message: message, topic: "t", dropped: nil, time: "T", epoch: epoch)
    }

    private func event(_ offset: Int) -> ServerMessage.Event {
        let message = JSONText(unchecked: #"{"id":"i","payload":1}"#)
        return ServerMessage.Event(
            topic: "t",
            message: message,
            id: "i",
            payload: JSONText(unchecked: "1"),
            time: "T",
            offset: offset
        )
    }

    /// Loses the connection and asks again.
    private func reconnect(_ feed: inout Feed) -> SubscribeCommand {
        feed.disconnected()
        return feed.subscribe(clientID: "c")
    }

    private func kinds(_ notices: [ApusClient.Notice]) -> [Kind] { notices.map(\.kind) }

    @Test func `goes on with its first message, after the gap that the restart was`() {
        var feed = feed()
        #expect(feed.subscribe(clientID: "c").waits == false)
        #expect(feed.acked(ack("e1:7")).isEmpty)
        #expect(feed.received(event(8)) != nil)
        for round in 0..<3 {
            let command = reconnect(&feed)
            #expect(command.waits && command.since == .position(epoch: "e1", offset: 8))
            // Told once, over any number of restarts.
            #expect(kinds(feed.acked(ack(waiting: true))) == (round == 0 ? [.waiting] : []))
            #expect(feed.received(event(1)) == nil)
        }
        #expect(kinds(feed.received(info("topic_created", epoch: "e2"))) == [.gap(.newEpoch), .topicCreated])
        #expect(feed.received(info("topic_created", epoch: "e3")).isEmpty)
        #expect(feed.received(event(1))?.position == .init(epoch: "e2", offset: 1))
    }

    @Test func `is asked for again where the server does not know of waiting`() {
        var feed = feed()
        _ = feed.subscribe(clientID: "c")
        #expect(feed.refusedForItsTopic(time: "T") == nil)
        _ = feed.acked(ack("e1:3"))
        _ = reconnect(&feed)
        #expect(feed.refusedForItsTopic(time: "T").map(kinds) == [.waiting])
        #expect(feed.subscribe(clientID: "c").since == .position(epoch: "e1", offset: 3))
        #expect(feed.refusedForItsTopic(time: "T").map(kinds) == [])
        _ = feed.subscribe(clientID: "c")
        #expect(kinds(feed.acked(ack("e2:0", recovered: false))) == [.gap(.newEpoch), .topicCreated])
    }

    @Test(arguments: [ApusClient.Start.live, .last(3), .age(.seconds(60)), .all]
    )
    func `misses nothing of it, made with a connection or without`(start: ApusClient.Start) {
        var told = feed(start, waits: true)
        #expect(told.subscribe(clientID: "c").waits)
        #expect(kinds(told.acked(ack(waiting: true))) == [.waiting])
        #expect(kinds(told.received(info("topic_created", epoch: "e1"))) == [.topicCreated])
        #expect(told.position == .init(epoch: "e1", offset: 0))

        var found = feed(start, waits: true)
        _ = found.subscribe(clientID: "c")
        _ = found.acked(ack(waiting: true))
        let command = reconnect(&found)
        #expect(command.since == .text("all") && command.lastN == 0)
        var late = found
        #expect(kinds(found.acked(ack("e1:0"))) == [.topicCreated])
        // By now it had more than it keeps.
        #expect(kinds(late.acked(ack("e1:40"))) == [.gap(.missed(1...40)), .topicCreated])
    }

    @Test func `tells of a position of an earlier epoch when the topic comes`() {
        let start = ApusClient.Start.after(.init(epoch: "e0", offset: 9))
        for isAway in [false, true] {
            var feed = feed(start, waits: true)
            _ = feed.subscribe(clientID: "c")
            #expect(kinds(feed.acked(ack(waiting: true))) == [.waiting])
            #expect(feed.received(info("not_recovered")).isEmpty)
            guard isAway else {
                #expect(kinds(feed.received(info("topic_created", epoch: "e1"))) == [.gap(.newEpoch), .topicCreated])
                continue
            }
            #expect(reconnect(&feed).since == .position(epoch: "e0", offset: 9))
            #expect(kinds(feed.acked(ack("e1:0", recovered: false))) == [.gap(.newEpoch), .topicCreated])
        }
    }

    @Test func `ends with a deletion that is told, unless it is to wait`() {
        var ending = feed()
        _ = ending.subscribe(clientID: "c")
        _ = ending.acked(ack("e1:0"))
        #expect(kinds(ending.received(info("topic_deleted"))) == [.topicDeleted])
        #expect(ending.isOver && !ending.isWaitAsked)

        var returned = feed()
        _ = returned.subscribe(clientID: "c")
        _ = returned.acked(ack("e1:0"))
        _ = reconnect(&returned)
        _ = returned.acked(ack("e1:0", recovered: true))
        #expect(kinds(returned.received(info("topic_deleted"))) == [.topicDeleted])
        // The server goes on waiting.
        #expect(returned.isOver && returned.isWaitAsked)

        let old = ApusClient.Start.after(.init(epoch: "e1", offset: 0))
        var waiting = feed(old, waits: true)
        _ = waiting.subscribe(clientID: "c")
        _ = waiting.acked(ack("e1:0", recovered: true))
        _ = waiting.received(event(1))
        #expect(kinds(waiting.received(info("topic_deleted"))) == [.topicDeleted, .waiting])
        // All of the next one is wanted, and what the last one had is not missed.
        #expect(waiting.subscribe(clientID: "c").since == .text("all"))
        #expect(waiting.acked(ack(waiting: true)).isEmpty)
        #expect(kinds(waiting.received(info("topic_created", epoch: "e2"))) == [.topicCreated])
    }

    @Test func `never waits as a pattern`() {
        var feed = feed(waits: true, "t.*")
        #expect(feed.subscribe(clientID: "c").waits == false)
        _ = feed.acked(ack())
        #expect(feed.received(info("topic_created", epoch: "e1")).isEmpty)
        #expect(kinds(feed.received(info("topic_deleted"))) == [.topicDeleted])
        #expect(!feed.isOver && feed.isLive)
        #expect(reconnect(&feed).waits == false)
    }
}
