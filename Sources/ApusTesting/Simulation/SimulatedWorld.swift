import ApusBroker
import ApusProtocol

/// Everything in a simulation, and the step that it takes next.
final class SimulatedWorld {
    var generator: SeededGenerator
    let setup: SimulationSetup
    let passage: Passage
    let loop: ManualLoop
    let model: Model
    let journal: SimulatedJournal?
    var clients: [SimulatedClient] = []
    /// The publishers that wait.
    var publishers: [SimulatedPublisher] = []
    var lastConnection = 0
    var lastMessage = 0
    var recentIDs: [String] = []
    /// Receives the lines of the journal.
    let trace: ((String) -> Void)?

    init(seed: UInt64, passage: Passage, trace: ((String) -> Void)?) {
        var generator = SeededGenerator(seed: seed)
        let setup = SimulationSetup(isJournaled: seed % 4 == 3, using: &generator)
        let limits = setup.limits
        journal = setup.isJournaled ? SimulatedJournal() : nil
        loop = ManualLoop(
            hubs: setup.hubs,
            limits: passage.limits(limits),
            journal: journal,
            compression: MessageCompressor.Settings(minimumSize: 0, level: 1),
            turns: setup.turns,
            seed: generator.next(),
            time: passage.time
        )
        model = Model(limits: limits, clock: loop.clock)
        loop.onTurn = { [model, loop] in model.noteLook(of: loop.hubs[$0]) }
        self.setup = setup
        self.passage = passage
        self.generator = generator
        self.trace = trace
        note("\(setup.hubs) hubs, history \(limits.history), \(limits.topicBytes) bytes, \(limits.dedupe) ids")
        for name in setup.names { put(name) }
        for _ in 0..<Int.random(in: 1...5, using: &self.generator) { addClient() }
    }

    func run(steps: Int) {
        for _ in 0..<steps {
            guard model.mistakes.isEmpty else { return }
            step()
            if journal != nil { stepJournal() }
        }
        finish()
    }

    /// Writes a line to the journal, if there is one.
    func note(_ line: @autoclosure () -> String) {
        trace?(line())
    }

    func fail(_ mistake: String) {
        model.mistakes.append(mistake)
    }

    func random(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }

    private func step() {
        let name = setup.names[random(0...(setup.names.count - 1))]
        let client = clients[random(0...(clients.count - 1))]
        switch random(0...99) {
        case 0..<36: publish(to: name)
        case 36..<48: subscribe(client, to: name)
        case 48..<52: unsubscribe(client, from: name)
        case 52..<54: delete(name)
        case 54..<58: put(name)
        case 58..<66: toggle(client)
        case 66..<69: breakOff(client)
        case 69..<72: subscribeToPattern(client)
        case 72..<74: addClient()
        case 74..<77: fetch(name)
        case 77..<80: pass(milliseconds: [1, 10, 100, 1000, 5000][random(0...4)])
        case 80..<81: setWallClock()
        case 81..<92: turn()
        default: rest()
        }
    }

    private func turn() {
        note("a turn")
        loop.runNext()
    }

    /// Lets time pass, and ends subscriptions for which publishers have waited too long.
    private func pass(milliseconds: Int) {
        loop.clock.advance(by: Int64(milliseconds))
        note("\(milliseconds) ms later")
        for connection in model.connections { connection.mayBeStalled = true }
        for hub in loop.hubs {
            hub.endBursts()
            hub.cutStalled(now: loop.clock.now, timeout: 2000)
        }
        for connection in model.connections { connection.mayBeStalled = false }
        if generator.chance(50) { trim() }
    }

    /// Sets the wall clock. This must not affect any duration.
    private func setWallClock() {
        let change = Int64([1, 700, 2500, 7_200_000][random(0...3)]) * (generator.chance(50) ? 1 : -1)
        loop.clock.setWall(by: change)
        note("the wall clock is set by \(change) ms")
    }

    /// Runs the background work: drops what has become too old.
    private func trim() {
        note("what is too old goes")
        loop.broker.trim(now: passage.timeToTrim(model.time), limit: .max)
        for topic in model.topics where !topic.isDeleted && topic.isSpent(now: model.now) {
            guard topic.real.logBytes > 0 else { continue }
            fail("\(topic.name) holds \(topic.real.logBytes) bytes of what has expired")
        }
    }

    // MARK: Topics

    /// Creates a topic, or changes its settings.
    func put(_ name: String) {
        let topic = model.topic(named: name)
        // What these subscriptions receive must not depend on when their hubs hear of the topic.
        if let topic, model.subscriptions(to: topic).contains(where: { !$0.isPlaced }) { return }
        let random = randomChange()
        let durability = topic == nil ? randomDurability() : topic?.settings.durability
        let change: (inout TopicSettings) -> Void = { settings in
            random(&settings)
            settings.durability = durability
        }
        var settings = topic?.settings ?? TopicSettings()
        change(&settings)
        note("put \(name): \(settings)")
        do {
            let (real, isNew) = try loop.broker.putTopic(named: name, change: passage.change(change))
            guard isNew == (topic == nil) else { return fail("\(name) was made twice, or not at all") }
            if let topic { return topic.change(to: settings, now: model.now) }
            let made = model.add(
                real,
                settings: settings,
                isKept: journal != nil && durability != .memory
            )
            promise(made)
            promiseWaiting(made)
        } catch {
            fail("cannot put \(name): \(error)")
        }
    }

    /// How a new topic is kept. Without a journal that means nothing.
    private func randomDurability() -> Durability? {
        journal == nil ? nil : [nil, .memory, .os, .disk].randomElement(using: &generator) ?? nil
    }

    private func randomChange() -> (inout TopicSettings) -> Void {
        guard generator.chance(50) else { return { _ in } }
        let isSet = generator.chance(70)
        let queue = isSet ? random(1...6) : nil
        let history = isSet ? [0, 2, 5, 20][random(0...3)] : nil
        let bytes = isSet ? [100, 300, 1000][random(0...2)] : nil
        let age = isSet ? [Int64(1), 500, 3000][random(0...2)] : nil
        let overflow = isSet ? OverflowPolicy.allCases[random(0...4)] : nil
        switch random(0...6) {
        case 0: return { $0.history = history }
        case 1: return { $0.historyAge = age }
        case 2: return { $0.historyBytes = bytes }
        case 3: return { $0.dedupeWindow = age }
        case 4: return { $0.ttl = age }
        default:
            return {
                $0.queue = queue
                $0.overflow = overflow
            }
        }
    }

    func delete(_ name: String) {
        guard let topic = model.topic(named: name) else { return }
        note("delete \(name)")
        topic.isDeleted = true
        do { try loop.broker.deleteTopic(named: name) } catch { fail("cannot delete \(name): \(error)") }
    }

    /// Fetches a page of a topic's history.
    private func fetch(_ name: String) {
        guard let topic = model.topic(named: name) else { return }
        let start = randomStart(name, handled: nil)
        let limit = random(1...20)
        note("fetch \(limit) of \(name) from \(start)")
        let placements = topic.placements(start, now: model.now)
        do {
            guard let page = try topic.real.page(from: start, limit: limit, now: passage.time(model.time).steady) else {
                return fail("there is no page of \(name)")
            }
            guard let placements else { return fail("\(start) was not refused") }
            guard placements.earliest == placements.latest else { return }
            let cursor = placements.earliest.cursor
            let all = (cursor..<topic.head).filter { topic.messages[$0 - 1].expires > model.now }
            let expected = all.prefix(limit)
            let first = topic.oldestWanted(now: model.now)...topic.promised
            guard first.contains(Int(page.first)), page.last == UInt64(topic.head - 1),
                page.entries.map({ Int($0.offset) }) == Array(expected),
                page.entries.allSatisfy({ topic.messages[Int($0.offset) - 1].isEntry($0) }),
                page.isRecovered == placements.earliest.isRecovered
            else { return fail("\(page) is not \(expected) of \(first)...\(topic.head - 1)") }
            // The next page continues where this one ends.
            guard Int(page.next) < topic.head, !all.contains(where: { $0 <= page.next && !expected.contains($0) }),
                all.count <= limit || page.next >= UInt64(expected.last ?? 0)
            else { return fail("the next page after \(expected) would be after \(page.next)") }
        } catch {
            if placements != nil { fail("cannot fetch \(start) of \(name): \(error)") }
        }
    }

    // MARK: Publishing

    private func publish(to name: String) {
        guard let topic = model.topic(named: name) else { return }
        let isBatch = generator.chance(20)
        let items = (0..<(isBatch ? random(1...5) : 1)).map { _ in randomItem(for: topic) }
        // A connection publishes through its own hub.
        let connection = generator.chance(30) ? clients[random(0...(clients.count - 1))].connection : nil
        let publisher = SimulatedPublisher(
            items,
            to: topic,
            origin: connection?.expected.origin ?? 0,
            hub: connection?.hub ?? loop.hubs[random(0...(loop.hubs.count - 1))],
            model: model,
            passage: passage
        )
        publisher.publishAgain()
        note("\(publisher.origin) publishes \(items) to \(name): \(publisher.isDone), head \(topic.head)")
        if !publisher.isDone { publishers.append(publisher) }
    }

    private func randomItem(for topic: ModelTopic) -> SimulatedItem {
        lastMessage += 1
        var id = "i\(lastMessage)"
        if generator.chance(25), let recent = recentIDs.randomElement(using: &generator) {
            // Do not use an id that the topic may or may not have forgotten.
            if case .either = topic.dedupe?.answer(to: recent, now: model.now) ?? .new {} else { id = recent }
        }
        recentIDs.append(id)
        if recentIDs.count > 6 { recentIDs.removeFirst() }
        return SimulatedItem(
            number: lastMessage,
            id: id,
            key: generator.chance(30) ? "k\(random(1...3))" : nil,
            ttl: generator.chance(15) ? [1, 50, 800, 3000].randomElement(using: &generator) : nil
        )
    }
}
