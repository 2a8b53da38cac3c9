import ApusSockets
import Testing

/// Who comes or goes does not hold up those who are there.
@Suite struct PollerPatienceTests {
    private let poller: Poller

    init() throws {
        poller = try Poller()
    }

    @Test func `a crowd of those that come does not go before a message, and all of it gets its turn`() throws {
        let (crowd, wire, target) = (try (0..<200).map { _ in (try Wire(), Recorder()) }, try Wire(), Recorder())
        var ids: [Poller.ID] = []
        for (wire, target) in crowd {
            ids.append(try poller.add(wire.near, for: .readable, isPatient: true, target: target))
            wire.far.send("x")
        }
        _ = try poller.add(wire.near, for: .readable, target: target)
        wire.far.send("x")
        poller.poll(timeout: 1000)
        #expect(target.takeTold() == [.readable])
        var told: Set<Int> = []
        func takeTold() -> Int {
            let now = crowd.indices.filter { !crowd[$0].1.takeTold().isEmpty }
            for index in now { _ = crowd[index].0.near.receiveText() }
            told.formUnion(now)
            return now.count
        }
        #expect((1..<100).contains(takeTold()))
        // One that is there to stay is patient no more.
        let last = try #require(crowd.indices.last { !told.contains($0) })
        poller.replace(ids[last], target: crowd[last].1)
        poller.poll(timeout: 1000)
        _ = takeTold()
        #expect(told.contains(last))
        for _ in crowd where told.count < crowd.count {
            poller.poll(timeout: 1000)
            #expect(takeTold() > 0)
        }
        #expect(told.count == crowd.count)
    }

    @Test func `those that go do not go before a message either, and none is forgotten`() throws {
        let crowd = try (0..<200).map { _ in (try Wire(), Recorder()) }
        for (wire, target) in crowd { _ = try poller.add(wire.near, for: [.readable, .inputEnded], target: target) }
        let (wire, target) = (try Wire(), Recorder())
        _ = try poller.add(wire.near, for: .readable, target: target)
        for (wire, _) in crowd { wire.far.finishSending() }
        wire.far.send("x")
        poller.poll(timeout: 1000)
        #expect(target.takeTold() == [.readable])
        #expect((1..<100).contains(crowd.count { !$0.1.takeTold().isEmpty }))
        // Nothing is done about them, so they are reported again each time.
        var left = Set(crowd.indices)
        for _ in crowd where !left.isEmpty {
            poller.poll(timeout: 1000)
            left = left.filter { crowd[$0].1.takeTold().isEmpty }
        }
        #expect(left.isEmpty)
    }
}
