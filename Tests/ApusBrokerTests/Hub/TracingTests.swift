import ApusProtocol
import ApusTesting
import Testing

@testable import ApusBroker

/// Where a message went.
@Suite struct TracingTests {
    private func message(_ number: Int) -> String { "{\"id\":\"m\(number)\",\"n\":\(number)}" }

    private func trace(_ loop: ManualLoop, _ id: String) throws -> TraceReport {
        let topic = try #require(loop.broker.topic(named: "t"))
        var search = MessageSearch(id: id)
        let found = try #require(search.find(in: topic).first)
        var report = TraceReport()
        for hub in loop.hubs { report.add(hub.trace(found, of: topic, limit: 100), limit: 100) }
        return report
    }

    private func outcomes(_ loop: ManualLoop, _ id: String) throws -> [String: DeliveryOutcome] {
        Dictionary(uniqueKeysWithValues: try trace(loop, id).rows.map { ($0.clientID, $0.outcome) })
    }

    @Test func `each subscription says whether it got a message, will get it, or was not there yet`() throws {
        let loop = ManualLoop(hubs: 2)
        try loop.broker.createTopic(named: "t")
        let (quick, slow) = (RecordingSubscriber(on: loop.hubs[0]), RecordingSubscriber(on: loop.hubs[1]))
        let late = RecordingSubscriber(on: loop.hubs[0])
        try loop.follow(quick, as: "quick")
        try loop.follow(slow, as: "slow", on: 1)
        slow.block()
        for number in 1...3 { try loop.publish(message(number)) }
        loop.runUntilIdle()
        try loop.follow(late, as: "late")
        try loop.follow(late, as: "replaying", since: .lastN(1))
        loop.runUntilIdle()
        #expect(
            try outcomes(loop, "m2") == [
                "quick": .delivered, "slow": .pending(ahead: 1), "late": .later, "replaying": .later,
            ]
        )
        #expect(try outcomes(loop, "m3")["replaying"] == .delivered)
        let report = try trace(loop, "m2")
        #expect(report.counts == ["delivered": 1, "pending": 1, "later": 2])
        #expect(report.rows.first?.clientID == "slow", "who did not get it comes first")
    }

    @Test(arguments: [OverflowPolicy.dropOldest, .dropNewest])
    func `what a policy dropped is told with the time, and what is replayed after that is not`(
        policy: OverflowPolicy
    ) throws {
        let loop = ManualLoop()
        let topic = try loop.broker.createTopic(named: "t")
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.follow(subscriber, as: "c", queue: 3, overflow: policy)
        subscriber.block()
        for number in 1...10 { try loop.publish(message(number)) }
        loop.runUntilIdle()
        let dropped = policy == .dropOldest ? 1 : 10
        let told = DeliveryOutcome.dropped(reason: "queue_full", time: loop.clock.now)
        #expect(try outcomes(loop, "m\(dropped)") == ["c": told])
        #expect(try outcomes(loop, "m\(11 - dropped)") != ["c": told])
        let report = try #require(loop.hubs[0].subscriptionReports(of: topic).first)
        #expect(report.lastLoss?.count == 7 && report.lastLoss?.reason == .queueFull)
        subscriber.unblock()
        loop.runUntilIdle()
        #expect(try outcomes(loop, "m\(dropped)") == ["c": told])
        try loop.follow(subscriber, as: "c", since: .all, queue: 3, overflow: policy)
        loop.runUntilIdle()
        #expect(try outcomes(loop, "m\(dropped)") == ["c": .delivered])
    }

    @Test func `what expired, was replaced or is the subscriber's own is filtered`() throws {
        let loop = ManualLoop()
        try loop.broker.createTopic(named: "t")
        let subscriber = RecordingSubscriber(on: loop.hubs[0], origin: 7)
        try loop.follow(subscriber, as: "c", overflow: .latest, echo: false)
        subscriber.block()
        let start = loop.clock.now
        let topic = try #require(loop.broker.topic(named: "t"))
        try loop.publishBatch([BatchItem(1, key: "\"k\"")])
        try loop.publishBatch([BatchItem(2, key: "\"k\"")])
        try loop.publishBatch([BatchItem(3, ttl: 10)])
        try loop.publish(message(4), origin: 7)
        loop.runUntilIdle()
        loop.clock.advance(by: 20)
        subscriber.unblock()
        loop.runUntilIdle()
        let reason = { (offset: Offset, origin: UInt32) -> String? in
            let message = TracedMessage(offset: offset, time: start, bytes: 1, origin: origin)
            switch loop.hubs[0].trace(message, of: topic, limit: 1).rows.first?.outcome {
            case .filtered(let reason, _)?: return reason
            default: return nil
            }
        }
        #expect(reason(1, 0) == "superseded" && reason(2, 0) == nil && reason(3, 0) == "expired")
        #expect(reason(4, 7) == "own")
    }

    @Test func `subscriptions that ended before they got it are told with their reason`() throws {
        let loop = ManualLoop()
        try loop.broker.createTopic(named: "t")
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.follow(subscriber, as: "c")
        try loop.publish(message(1))
        loop.runUntilIdle()
        subscriber.block()
        try loop.publish(message(2))
        loop.runUntilIdle()
        subscriber.disconnect()
        loop.runUntilIdle()
        loop.clock.advance(by: 10)
        try loop.publish(message(3))
        #expect(try trace(loop, "m1").gone.map(\.outcome) == [.delivered])
        guard case .dropped("DISCONNECTED", _)? = try trace(loop, "m2").gone.first?.outcome else {
            Issue.record("it was pending when the subscription ended")
            return
        }
        #expect(try trace(loop, "m3").gone.isEmpty && trace(loop, "m3").rows.isEmpty)
    }

    @Test(arguments: [
        (#"{"id":"a","payload":1}"#, "a", true), (#"{"payload":{"id":"a"}}"#, "a", false),
        (#"{"payload":"a"}"#, "a", false), (#"{"id":"ab"}"#, "a", false), (#"{"id":1,"x":"a"}"#, "a", false),
        (#"{"payload":[{"id":"b"}],"id":"a"}"#, "a", true), (#"{"id":"a\"b"}"#, "a\"b", true),
        (#"{ "id" : "ä" }"#, "ä", true), (#"{"id":""}"#, "a", false),
    ])
    func `a message is found by the id that its publisher gave it`(message: String, id: String, isFound: Bool) throws {
        let loop = ManualLoop()
        let topic = try loop.broker.createTopic(named: "t")
        try loop.publish(#"{"id":"other"}"#)
        try loop.publish(message)
        var search = MessageSearch(id: id)
        #expect(search.find(in: topic).map(\.offset) == (isFound ? [2] : []))
        #expect(search.isComplete)
    }

    @Test func `what only the journal has is found, too`() async throws {
        let journal = ManualJournal(isArchive: true)
        let limits = MemoryBroker.Limits(history: 1000, topicBytes: 50_000, tailBytes: 200)
        let loop = ManualLoop(limits: limits, journal: journal)
        let (topic, _) = try loop.broker.putTopic(named: "t") { $0.historyAge = 60_000 }
        var search = MessageSearch(id: "m1")
        #expect(await search.findArchived(in: topic, now: loop.clock.now).isEmpty)
        for number in 1...50 {
            try loop.publish(message(number))
            loop.runUntilIdle()
            journal.run()
            topic.change { _ in }
        }
        #expect(search.find(in: topic).isEmpty)
        let now = loop.clock.now
        let searching = Task { [search] in
            var search = search
            return await search.findArchived(in: topic, now: now)
        }
        while journal.readCount == 0 { await Task.yield() }
        journal.answer()
        let found = await searching.value
        #expect(found.map(\.offset) == [1] && found.first?.origin == nil)
    }

    @Test func `a search finds the newest first, and says when it has looked at too little`() throws {
        let loop = ManualLoop()
        let topic = try loop.broker.createTopic(named: "t")
        for number in [1, 2, 1, 3] { try loop.publish(message(number)) }
        var search = MessageSearch(id: "m1")
        #expect(search.find(in: topic).map(\.offset) == [3, 1])
        var small = MessageSearch(id: "m1", maxBytes: 10)
        #expect(small.find(in: topic).isEmpty && !small.isComplete)
    }
}
