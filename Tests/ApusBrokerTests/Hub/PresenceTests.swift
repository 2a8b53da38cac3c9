import ApusProtocol
import ApusTesting
import Testing

@testable import ApusBroker

/// News of others' subscriptions.
@Suite struct PresenceTests {
    private func loop(hubs: Int = 1) throws -> ManualLoop {
        let loop = ManualLoop(hubs: hubs)
        try loop.broker.createTopic(named: "t")
        return loop
    }

    private func watch(
        _ subscriber: RecordingSubscriber,
        as clientID: String,
        presence: Bool = true,
        _ loop: ManualLoop,
        on hub: Int = 0
    ) throws {
        let request = SubscribeRequest(topic: "t", clientID: clientID, detail: .keyed, presence: presence)
        try loop.subscribe(subscriber, request, limit: 10_000, on: hub)
    }

    @Test func `who watches is told of every other subscription that comes and goes, on any hub`() throws {
        let loop = try loop(hubs: 2)
        let watcher = RecordingSubscriber(on: loop.hubs[0])
        let others = loop.hubs.map { RecordingSubscriber(on: $0) }
        try watch(watcher, as: "w", loop)
        for (hub, other) in others.enumerated() { try loop.subscribe(other, as: "o\(hub)", on: hub) }
        loop.runUntilIdle()
        #expect(watcher.summary == "+o0 +o1")
        try loop.unsubscribe(others[0], as: "o0")
        others[1].disconnect()
        loop.runUntilIdle()
        #expect(watcher.summary == "+o0 +o1 -o0 -o1")
        #expect(others.allSatisfy { $0.records.isEmpty })
    }

    @Test func `another subscription of the same connection is another one`() throws {
        let loop = try loop()
        let watcher = RecordingSubscriber(on: loop.hubs[0])
        try watch(watcher, as: "a", loop)
        try watch(watcher, as: "b", loop)
        loop.runUntilIdle()
        #expect(watcher.summary == "+b")
        try loop.unsubscribe(watcher, as: "a")
        loop.runUntilIdle()
        #expect(watcher.summary == "+b -a")
    }

    @Test func `nobody is told of what was before it watched`() throws {
        let loop = try loop()
        let first = RecordingSubscriber(on: loop.hubs[0])
        let second = RecordingSubscriber(on: loop.hubs[0])
        try watch(first, as: "first", loop)
        try loop.subscribe(RecordingSubscriber(on: loop.hubs[0]), as: "other")
        // The hub has not had its turn: its news of the other is for the first one only.
        try watch(second, as: "second", loop)
        loop.runUntilIdle()
        #expect(first.summary == "+other +second" && second.records.isEmpty)
    }

    @Test func `subscribing again is no news, and turns watching on and off`() throws {
        let loop = try loop()
        let watcher = RecordingSubscriber(on: loop.hubs[0])
        let other = RecordingSubscriber(on: loop.hubs[0])
        try watch(watcher, as: "w", presence: false, loop)
        try watch(other, as: "x", presence: false, loop)
        loop.runUntilIdle()
        try watch(watcher, as: "w", loop)
        try watch(other, as: "x", presence: false, loop)
        try watch(other, as: "y", presence: false, loop)
        loop.runUntilIdle()
        #expect(watcher.summary == "+y")
        try watch(watcher, as: "w", presence: false, loop)
        other.disconnect()
        loop.runUntilIdle()
        #expect(watcher.summary == "+y")
    }

    @Test func `the end of the topic is nobody's leaving`() throws {
        let loop = try loop()
        let watcher = RecordingSubscriber(on: loop.hubs[0])
        let other = RecordingSubscriber(on: loop.hubs[0])
        try watch(watcher, as: "w", loop)
        try loop.subscribe(other, as: "x")
        loop.runUntilIdle()
        watcher.takeRecords()
        try loop.broker.deleteTopic(named: "t")
        loop.runUntilIdle()
        #expect(watcher.summary == "deleted")
    }

    @Test func `who takes nothing is told later, and of no more than the newest`() throws {
        let loop = try loop()
        let watcher = RecordingSubscriber(on: loop.hubs[0])
        let other = RecordingSubscriber(on: loop.hubs[0])
        try watch(watcher, as: "w", loop)
        watcher.block()
        for number in 0..<(PendingPresence.limit + 200) {
            try watch(other, as: "o\(number)", presence: false, loop)
            if number % 7 == 0 { loop.runUntilIdle() }
        }
        loop.runUntilIdle()
        #expect(watcher.records.isEmpty)
        watcher.unblock()
        loop.runUntilIdle()
        #expect(watcher.records.first == .presenceDropped(topic: "t", count: 200))
        #expect(watcher.records.count == PendingPresence.limit + 1)
        let last = "o\(PendingPresence.limit + 199)"
        #expect(watcher.records.last == .presence(topic: "t", hasJoined: true, clientID: last))
    }

    @Test func `a hub whose turn does not come is not filled without bound`() throws {
        let loop = try loop(hubs: 2)
        let watcher = RecordingSubscriber(on: loop.hubs[1])
        let other = RecordingSubscriber(on: loop.hubs[0])
        try watch(watcher, as: "w", loop, on: 1)
        loop.runUntilIdle()
        for _ in 0..<(HubMailbox.presenceLimit / 2 + 1000) {
            try watch(other, as: "o", presence: false, loop)
            try loop.unsubscribe(other, as: "o")
        }
        loop.runUntilIdle()
        #expect(watcher.records.count == HubMailbox.presenceLimit + 1)
        #expect(watcher.records.last == .presenceDropped(topic: "t", count: 2000))
    }

    @Test func `a pattern's subscriptions are announced, and may watch`() throws {
        let loop = try loop(hubs: 2)
        let watcher = RecordingSubscriber(on: loop.hubs[1])
        let request = SubscribeRequest(topic: "*", clientID: "p", detail: .keyed, presence: true)
        try loop.subscribe(watcher, request, on: 1)
        let named = RecordingSubscriber(on: loop.hubs[0])
        try watch(named, as: "n", loop)
        loop.runUntilIdle()
        #expect(watcher.summary == "+n")
        try loop.broker.createTopic(named: "u")
        try loop.subscribe(named, to: "u", as: "late")
        loop.runUntilIdle()
        try loop.unsubscribe(named, from: "u", as: "late")
        loop.runUntilIdle()
        #expect(watcher.records.last == .presence(topic: "u", hasJoined: false, clientID: "late"))
        watcher.disconnect()
        loop.runUntilIdle()
        #expect(named.summary == "-p")
    }
}
