import ApusSockets
import Testing

@Suite struct PollerTests {
    private let poller: Poller

    init() throws {
        poller = try Poller()
    }

    @Test func `a target is told of bytes until they are taken`() throws {
        let (wire, target) = (try Wire(), Recorder())
        _ = try poller.add(wire.near, for: .readable, target: target)
        poller.poll(timeout: 0)
        #expect(target.takeTold().isEmpty)
        wire.far.send("x")
        for _ in 0..<3 {
            poller.poll(timeout: 1000)
            #expect(target.takeTold() == [.readable])
        }
        #expect(wire.near.receiveText() == "x")
        poller.poll(timeout: 0)
        #expect(target.takeTold().isEmpty)
    }

    @Test func `a target that asks for edges is told of new bytes only`() throws {
        let (wire, target) = (try Wire(), Recorder())
        let id = try poller.add(wire.near, for: .readable, target: target)
        wire.far.send("x")
        poller.change(id, of: wire.near, to: [.readable, .edgeTriggered])
        // The change itself counts as news.
        poller.poll(timeout: 0)
        #expect(target.takeTold() == [.readable])
        for _ in 0..<3 {
            poller.poll(timeout: 0)
            #expect(target.takeTold().isEmpty)
            wire.far.send("y")
            poller.poll(timeout: 1000)
            #expect(target.takeTold() == [.readable])
        }
        poller.change(id, of: wire.near, to: .readable)
        for _ in 0..<3 {
            poller.poll(timeout: 0)
            #expect(target.takeTold() == [.readable])
        }
        #expect(wire.near.receiveText() == "xyyy")
    }

    @Test func `an end is news to a target that asks for edges`() throws {
        let (wire, target) = (try Wire(), Recorder())
        wire.far.send("x")
        _ = try poller.add(wire.near, for: [.readable, .edgeTriggered], target: target)
        poller.poll(timeout: 0)
        #expect(target.takeTold() == [.readable])
        wire.far.finishSending()
        poller.poll(timeout: 1000)
        #expect(target.takeTold() == [.readable])
    }

    @Test func `a target is told of room when it asks for that, and not while there is none`() throws {
        let (wire, target) = (try Wire(), Recorder())
        let id = try poller.add(wire.near, for: .readable, target: target)
        poller.poll(timeout: 0)
        #expect(target.takeTold().isEmpty)
        poller.change(id, of: wire.near, to: .writable)
        poller.poll(timeout: 0)
        #expect(target.takeTold() == [.writable])
        while wire.near.send(String(repeating: "x", count: 4096)) != .wouldBlock {}
        poller.poll(timeout: 0)
        #expect(target.takeTold().isEmpty)
        while wire.far.receiveText() != nil {}
        poller.poll(timeout: 1000)
        #expect(target.takeTold() == [.writable])
    }

    @Test func `a target that asks for nothing is told of the end alone`() throws {
        let (wire, target) = (try Wire(), Recorder())
        let id = try poller.add(wire.near, for: .readable, target: target)
        poller.change(id, of: wire.near, to: [])
        wire.far.send("x")
        poller.poll(timeout: 0)
        #expect(target.takeTold().isEmpty)
        wire.hangUp()
        poller.poll(timeout: 1000)
        let told = target.takeTold()
        #expect(told.count == 1 && told.allSatisfy { !$0.isDisjoint(with: .broken) })
    }

    @Test func `half an end is readable, and not broken`() throws {
        let (wire, target) = (try Wire(), Recorder())
        _ = try poller.add(wire.near, for: .readable, target: target)
        wire.far.finishSending()
        poller.poll(timeout: 1000)
        #expect(target.takeTold() == [.readable])
    }

    @Test func `a socket is told to the target that has taken its place`() throws {
        let (wire, first, second) = (try Wire(), Recorder(), Recorder())
        let id = try poller.add(wire.near, for: .readable, target: first)
        poller.replace(id, target: second)
        wire.far.send("x")
        poller.poll(timeout: 1000)
        #expect(first.told.isEmpty)
        #expect(second.told == [.readable])
    }

    @Test func `a target may be replaced while it is told`() throws {
        let (wire, first, second) = (try Wire(), Recorder(), Recorder())
        let id = try poller.add(wire.near, for: .readable, target: first)
        first.whenTold = { [poller] in poller.replace(id, target: second) }
        wire.far.send("x")
        poller.poll(timeout: 1000)
        poller.poll(timeout: 0)
        #expect(first.told.count == 1)
        #expect(second.told.count == 1)
    }

    @Test func `a removed socket is told of no more, and its target let go`() throws {
        let wire = try Wire()
        weak var released: Recorder?
        do {
            let target = Recorder()
            released = target
            let id = try poller.add(wire.near, for: .readable, target: target)
            wire.far.send("x")
            poller.remove(id, of: wire.near)
            poller.poll(timeout: 0)
            #expect(target.told.isEmpty)
        }
        #expect(released == nil)
    }

    @Test func `a target that removes itself while it is told is whole until it has been`() throws {
        let wire = try Wire()
        weak var released: Recorder?
        var wasThere = false
        do {
            let target = Recorder()
            released = target
            let id = try poller.add(wire.near, for: .readable, target: target)
            target.whenTold = { [poller] in
                poller.remove(id, of: wire.near)
                wasThere = released != nil
            }
        }
        wire.far.send("x")
        poller.poll(timeout: 1000)
        #expect(wasThere)
        #expect(released == nil)
    }
}

/// One target's doing while others are about to be told.
@Suite struct PollerRoundTests {
    private let poller: Poller
    private let wires: [Wire]
    private let targets = [Recorder(), Recorder()]

    init() throws {
        poller = try Poller()
        wires = [try Wire(), try Wire()]
    }

    private var toldTimes: Int { targets.map(\.told.count).reduce(0, +) }

    @Test func `a target removed by another in the same round is not told`() throws {
        let ids = try zip(wires, targets).map { try poller.add($0.near, for: .readable, target: $1) }
        for (index, target) in targets.enumerated() {
            target.whenTold = { [poller, wires] in poller.remove(ids[1 - index], of: wires[1 - index].near) }
        }
        for wire in wires { wire.far.send("x") }
        poller.poll(timeout: 1000)
        #expect(toldTimes == 1)
    }

    @Test func `a socket that gets the place of one removed in the same round is not told of its events`() throws {
        let ids = try zip(wires, targets).map { try poller.add($0.near, for: .readable, target: $1) }
        let (fresh, newcomer) = (try Wire(), Recorder())
        for (index, target) in targets.enumerated() {
            target.whenTold = { [poller, wires] in
                poller.remove(ids[1 - index], of: wires[1 - index].near)
                #expect(throws: Never.self) { try poller.add(fresh.near, for: .readable, target: newcomer) }
            }
        }
        for wire in wires { wire.far.send("x") }
        poller.poll(timeout: 1000)
        #expect(toldTimes == 1)
        #expect(newcomer.told.isEmpty)
        for target in targets { target.whenTold = {} }
        fresh.far.send("x")
        poller.poll(timeout: 1000)
        #expect(newcomer.told == [.readable])
    }

    @Test func `the end of a round comes once, after all have been told`() throws {
        var rounds: [Int] = []
        poller.afterRound = { [targets] in rounds.append(targets.map(\.told.count).reduce(0, +)) }
        for (wire, target) in zip(wires, targets) {
            _ = try poller.add(wire.near, for: .readable, target: target)
            target.whenTold = { [poller] in #expect(poller.isInRound) }
        }
        poller.poll(timeout: 0)
        #expect(rounds.isEmpty)
        for wire in wires { wire.far.send("x") }
        poller.poll(timeout: 1000)
        #expect(rounds == [2])
        #expect(!poller.isInRound)
        // It holds on to this suite's parts.
        poller.afterRound = nil
    }

    @Test func `a name that was removed is no longer that of a socket`() throws {
        let old = try poller.add(wires[0].near, for: .readable, target: targets[0])
        poller.remove(old, of: wires[0].near)
        let id = try poller.add(wires[1].near, for: .readable, target: targets[1])
        #expect(id != old)
        poller.remove(old, of: wires[1].near)
        poller.replace(old, target: targets[0])
        wires[1].far.send("x")
        poller.poll(timeout: 1000)
        #expect(targets[0].told.isEmpty)
        #expect(targets[1].told == [.readable])
    }

    @Test func `a socket that cannot be added leaves nothing behind`() throws {
        let id = try poller.add(wires[0].near, for: .readable, target: targets[0])
        for _ in 0..<3 {
            #expect(throws: SocketError.self) { try poller.add(wires[0].near, for: .readable, target: targets[1]) }
        }
        let second = try poller.add(wires[1].near, for: .readable, target: targets[1])
        for wire in wires { wire.far.send("x") }
        poller.poll(timeout: 1000)
        #expect(targets.map(\.told.count) == [1, 1])
        poller.remove(id, of: wires[0].near)
        poller.remove(second, of: wires[1].near)
        poller.poll(timeout: 0)
        #expect(toldTimes == 2)
    }

    @Test func `all who are ready are told, also when they are more than a round holds`() throws {
        wires[0].far.send("x")
        var crowd: [(socket: Socket, target: Recorder, id: Poller.ID)] = []
        defer { for one in crowd { one.socket.close() } }
        for _ in 0..<600 {
            let (socket, target) = (try wires[0].near.duplicated(), Recorder())
            crowd.append((socket, target, try poller.add(socket, for: .readable, target: target)))
        }
        for _ in 0..<2 { poller.poll(timeout: 1000) }
        #expect(crowd.allSatisfy { !$0.target.told.isEmpty })
        for one in crowd { poller.remove(one.id, of: one.socket) }
        poller.poll(timeout: 0)
    }

    @Test func `slots that are given back are made anew, and names of old ones name nothing`() throws {
        let wires = try (0..<200).map { _ in try Wire() }
        let targets = wires.map { _ in Recorder() }
        let ids = try zip(wires, targets).map { try poller.add($0.near, for: .readable, target: $1) }
        for index in wires.indices where index != 40 { poller.remove(ids[index], of: wires[index].near) }
        poller.releaseMemory()
        let again = Recorder()
        _ = try poller.add(wires[100].near, for: .readable, target: again)
        // It has the place of another one by now.
        for index in wires.indices where index != 40 { poller.remove(ids[index], of: wires[index].near) }
        for index in [40, 100] { wires[index].far.send("x") }
        poller.poll(timeout: 1000)
        #expect(targets[40].takeTold() == [.readable] && again.takeTold() == [.readable])
    }
}
