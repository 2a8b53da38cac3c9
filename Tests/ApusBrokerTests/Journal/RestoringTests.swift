import ApusProtocol
import ApusTesting
import NIOCore
import Testing

@testable import ApusBroker

/// What a journal has kept is there again after a restart.
@Suite struct RestoringTests {
    private let journal = ManualJournal()

    private func loop(dedupe window: Int64? = nil) throws -> ManualLoop {
        let loop = ManualLoop(journal: journal)
        _ = try loop.broker.putTopic(named: "t") { $0.dedupeWindow = window }
        return loop
    }

    private func commit(_ loop: ManualLoop) {
        loop.runUntilIdle()
        journal.run()
        loop.runUntilIdle()
    }

    /// Another process that takes over what the journal has, with the steady clock somewhere else.
    private func restart(_ loop: ManualLoop, steadyBack: Int64 = 0) throws -> (ManualLoop, Topic) {
        let old = try #require(loop.broker.topic(named: "t"))
        let records = journal.kept(old)
        let next = ManualLoop(journal: journal) {
            Moment(wall: $0.wall, steady: $0.steady - steadyBack)
        }
        next.clock.now = loop.clock.now
        let lead = next.clock.moment.wall - (next.clock.moment.steady - steadyBack)
        let template = EventTemplate(topic: "t", epoch: old.epoch)
        var restored = RestoredTopic(number: 1, name: "t", epoch: old.epoch, settings: old.settings)
        for record in records {
            let (batch, ids) = try #require(record.batch(template: template, lead: lead))
            restored.batches.append(batch)
            restored.ids += ids.map { ($0.offset, $0.id, batch.time(at: $0.offset)) }
            restored.head = batch.end
        }
        let now = Moment(wall: next.clock.moment.wall, steady: next.clock.moment.steady - steadyBack)
        next.broker.restore([restored], lastNumber: 1, now: now)
        return (next, try #require(next.broker.topic(named: "t")))
    }

    @Test func `messages, offsets and the epoch are there, and positions resume`() throws {
        let loop = try loop()
        try loop.publish(1...5)
        commit(loop)
        try loop.publish(6...7)
        commit(loop)
        let (next, topic) = try restart(loop)
        #expect(topic.publishedCount == 7)
        let subscriber = RecordingSubscriber(on: next.hubs[0])
        let receipt = try next.follow(subscriber, since: .position(epoch: topic.epoch, offset: 4))
        #expect(receipt.isRecovered == true)
        next.runUntilIdle()
        #expect(subscriber.numbers == [5, 6, 7])
        #expect(try next.publish(8).offset == 8)
    }

    @Test func `ids are recognized`() throws {
        let loop = try loop(dedupe: 60_000)
        try loop.publish(1, id: "a")
        try loop.publish(2, id: "b")
        commit(loop)
        let (next, _) = try restart(loop)
        guard case .published(let receipt) = try next.publish(2, id: "b") else { throw BrokerError(.notKept, "") }
        #expect((receipt.offset, receipt.isDuplicate) == (2, true))
        #expect(try next.publish(3, id: "c").offset == 3)
    }

    @Test(arguments: [0, -5000, 70_000] as [Int64])
    func `keys are there, and a lifetime has what was left of it`(steadyBack: Int64) throws {
        let loop = try loop()
        try loop.publish(1, key: "k", ttl: 10_000)
        try loop.publish(2, key: "k")
        try loop.publish(3, ttl: 5000)
        commit(loop)
        loop.clock.advance(by: .seconds(6))
        let (next, _) = try restart(loop, steadyBack: steadyBack)
        let subscriber = RecordingSubscriber(on: next.hubs[0])
        try next.subscribe(subscriber, lastN: 10)
        next.runUntilIdle()
        #expect(subscriber.numbers == [1, 2])
        next.clock.advance(by: .seconds(5))
        let later = RecordingSubscriber(on: next.hubs[0])
        try next.subscribe(later, lastN: 10)
        next.runUntilIdle()
        #expect(later.numbers == [2])
    }

    @Test func `a record that was cut or has more in it is no batch`() throws {
        let loop = try loop(dedupe: 60_000)
        try loop.publish(1, key: "k", id: "a", ttl: 1000)
        try loop.publish(2, id: "b")
        commit(loop)
        let topic = try #require(loop.broker.topic(named: "t"))
        let whole = try #require(journal.kept(topic).first)
        let template = EventTemplate(topic: "t", epoch: topic.epoch)
        #expect(whole.batch(template: template, lead: 0) != nil)
        for size in 0..<whole.details.readableBytes where size > 0 {
            let cut = whole.with(details: whole.details.getSlice(at: 0, length: size))
            #expect(cut.batch(template: template, lead: 0) == nil, "\(size) bytes of details")
        }
        var more = whole.details
        more.writeInteger(UInt8(0))
        #expect(whole.with(details: more).batch(template: template, lead: 0) == nil)
        #expect(whole.with(marks: ByteBuffer()).batch(template: template, lead: 0) == nil)
        #expect(whole.with(marks: ByteBuffer(bytes: [255, 255, 255, 255])).batch(template: template, lead: 0) == nil)
    }

    @Test func `what lies before a gap is not offered`() throws {
        let loop = try loop()
        for number in 1...3 {
            try loop.publish(number)
            commit(loop)
        }
        let topic = try #require(loop.broker.topic(named: "t"))
        let template = EventTemplate(topic: "t", epoch: topic.epoch)
        let batches = try journal.kept(topic).map { try #require($0.batch(template: template, lead: 0)).batch }
        let next = ManualLoop(journal: journal)
        var restored = RestoredTopic(number: 1, name: "t", epoch: topic.epoch, settings: TopicSettings(), head: 4)
        restored.batches = [batches[0], batches[2]]
        next.broker.restore([restored], lastNumber: 1, now: next.clock.moment)
        let subscriber = RecordingSubscriber(on: next.hubs[0])
        let receipt = try next.follow(subscriber, since: .position(epoch: topic.epoch, offset: 1))
        #expect(receipt.isRecovered == false)
        #expect(receipt.missed == 2...2)
        next.runUntilIdle()
        #expect(subscriber.numbers == [3])
    }
}

extension BatchRecord {
    fileprivate func with(details: ByteBuffer? = nil, marks: ByteBuffer? = nil) -> BatchRecord {
        BatchRecord(
            first: first,
            count: count,
            newestTime: newestTime,
            details: details ?? self.details,
            marks: marks ?? self.marks,
            frames: frames
        )
    }
}
