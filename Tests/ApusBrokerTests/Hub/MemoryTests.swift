import ApusProtocol
import ApusTesting
import Testing

@testable import ApusBroker

/// What a topic's log holds, counted in the batches that can still be read.
@Suite struct MemoryTests {
    /// How many publications are kept, and in how many batches.
    private func kept(_ topic: Topic, head: Offset) -> (publications: Int, batches: Int) {
        var offset: Offset = 0
        if case .failure(let missing) = topic.batch(at: 0) { offset = missing.firstKept }
        let publications = Int(head - offset)
        var batches = 0
        while case .success(let batch) = topic.batch(at: offset) {
            batches += 1
            offset = batch.end
        }
        return (publications, batches)
    }

    private func world(history: Int) throws -> (ManualLoop, Topic, RecordingSubscriber) {
        let loop = ManualLoop(hubs: 2, limits: MemoryBroker.Limits(history: history))
        let topic = try loop.broker.createTopic(named: "t")
        let reader = RecordingSubscriber(on: loop.hubs[1])
        try loop.subscribe(reader, on: 1)
        return (loop, topic, reader)
    }

    @Test(arguments: [1, 10, 100])
    func `a stopped reader holds no more than its queue`(queue: Int) throws {
        let (loop, topic, reader) = try world(history: 5)
        let stopped = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(stopped, queue: queue)
        stopped.block()
        for number in 1...2000 {
            try loop.publish(number)
            loop.runUntilIdle()
            let kept = kept(topic, head: Offset(number + 1))
            #expect(kept.publications <= max(queue, 5) && kept.batches == kept.publications)
            reader.takeRecords()
        }
        stopped.unblock()
        loop.runUntilIdle()
        #expect(stopped.summary == "dropped(\(2000 - queue)) " + (2001 - queue...2000).summary)
    }

    @Test func `what is kept for a stopped reader goes with it, though others of its loop stay`() throws {
        let (loop, topic, reader) = try world(history: 5)
        let stopped = RecordingSubscriber(on: loop.hubs[1])
        try loop.subscribe(stopped, queue: 1000, on: 1)
        stopped.block()
        for number in 1...1000 {
            try loop.publish(number)
            loop.runUntilIdle()
            reader.takeRecords()
        }
        #expect(kept(topic, head: 1001).publications == 1000)
        stopped.disconnect()
        loop.runUntilIdle()
        // Small batches may be put together, so that a little more than history stays.
        #expect(kept(topic, head: 1001).publications <= 21)
    }

    @Test(arguments: [(0, 16), (5, 21), (100, 125), (1000, 1250)])
    func `where nobody reads, little more than history is kept`(history: Int, bound: Int) throws {
        let loop = ManualLoop(hubs: 1, limits: MemoryBroker.Limits(history: history))
        let topic = try loop.broker.createTopic(named: "t")
        for number in 1...3000 {
            try loop.publish(number)
            let kept = kept(topic, head: Offset(number + 1))
            #expect(kept.publications >= min(number, history) && kept.publications <= bound)
        }
    }

    @Test func `a thousand stopped readers hold no more than one`() throws {
        let (loop, topic, _) = try world(history: 5)
        let stopped = (0..<1000).map { _ in RecordingSubscriber(on: loop.hubs[0]) }
        for subscriber in stopped {
            try loop.subscribe(subscriber, queue: 10)
            subscriber.block()
        }
        for number in 1...100 {
            try loop.publish(number)
            loop.runUntilIdle()
        }
        #expect(kept(topic, head: 101).batches == 10)
    }

    @Test func `without a slow reader no more than history is kept`() throws {
        let (loop, topic, reader) = try world(history: 5)
        for number in 1...100 {
            try loop.publish(number)
            loop.runUntilIdle()
        }
        #expect(kept(topic, head: 101).publications == 5)
        #expect(reader.numbers == Array(1...100))
    }

    @Test func `a stopped reader's end releases what it held, at the next publication`() throws {
        for leaves in [true, false] {
            let (loop, topic, _) = try world(history: 5)
            let stopped = RecordingSubscriber(on: loop.hubs[1])
            try loop.subscribe(stopped, queue: 50, on: 1)
            stopped.block()
            for number in 1...100 {
                try loop.publish(number)
                loop.runUntilIdle()
            }
            #expect(kept(topic, head: 101).publications == 50)
            if leaves { stopped.disconnect() } else { stopped.unblock() }
            try loop.publish(101)
            loop.runUntilIdle()
            #expect(kept(topic, head: 102).publications == 5)
        }
    }

    @Test func `the last reader's end releases all but history`() throws {
        let (loop, topic, reader) = try world(history: 5)
        reader.block()
        for number in 1...100 {
            try loop.publish(number)
            loop.runUntilIdle()
        }
        #expect(kept(topic, head: 101).publications == 100)
        reader.disconnect()
        #expect(kept(topic, head: 101).publications == 5)
    }

    @Test func `a deleted topic keeps nothing once its subscribers have got it all`() throws {
        let (loop, topic, reader) = try world(history: 5)
        try loop.publish(1...20)
        reader.block()
        try loop.broker.deleteTopic(named: "t")
        loop.runUntilIdle()
        #expect(kept(topic, head: 21).publications == 20)
        reader.unblock()
        loop.runUntilIdle()
        #expect(kept(topic, head: 21).publications == 0)
    }

    @Test func `the log's bytes are bounded whatever readers want`() throws {
        let loop = ManualLoop(limits: MemoryBroker.Limits(history: 1000, topicBytes: 10_000))
        let topic = try loop.broker.createTopic(named: "t")
        let stopped = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(stopped, queue: 1000)
        stopped.block()
        let size = topic.template.frameSize(message: ManualLoop.message(1000).utf8.count)
        for number in 1000..<2000 {
            try loop.publish(number)
            loop.runUntilIdle()
        }
        #expect(kept(topic, head: 1001).publications == 10_000 / size)
    }
}
