import ApusBroker
import ApusProtocol

// Clients that connect, subscribe, stop reading and disconnect.

extension SimulatedWorld {
    func addClient() {
        let isPatterned = generator.chance(35)
        let client = SimulatedClient(
            number: clients.count,
            isFaithful: generator.chance(60),
            isSlow: generator.chance(25),
            waterMark: random(1...4),
            dialect: generator.chance(70) ? .base : .v1,
            pattern: isPatterned ? SimulationSetup.patterns.randomElement(using: &generator) : nil
        )
        clients.append(client)
        connect(client)
    }

    /// Connects a client and subscribes it to everything it wants.
    @discardableResult
    func connect(_ client: SimulatedClient) -> SimulatedConnection {
        let index = random(0...(loop.hubs.count - 1))
        lastConnection += 1
        let expected = ModelConnection(
            number: lastConnection,
            hub: loop.hubs[index],
            mayLag: client.isSlow,
            model: model
        )
        let subscriber = RecordingSubscriber(
            on: loop.hubs[index],
            dialect: client.dialect,
            window: client.window,
            origin: expected.origin,
            waterMark: .init(frames: client.waterMark),
            room: client.isSlow ? random(0...3) : .max
        )
        let connection = SimulatedConnection(hub: loop.hubs[index], subscriber: subscriber, expected: expected)
        connection.trace = trace
        connection.passage = passage
        expected.onEvent = { [unowned client, unowned model] topic, offset in
            if !client.handle(offset, of: topic) {
                model.mistakes.append("client \(client.number) has had \(topic.name) \(offset) before")
            }
        }
        expected.onOpening = { [unowned client] topic in
            client.handle(SimulatedClient.Position(epoch: topic.epoch, offset: 0), of: topic.name)
        }
        client.connection = connection
        model.add(expected)
        note("client \(client.number) is connection \(lastConnection) on hub \(index), slow: \(client.isSlow)")
        for wish in client.wishes { follow(wish, client, connection) }
        return connection
    }

    /// Subscribes a client, for the first time or again with other options.
    func subscribe(_ client: SimulatedClient, to name: String) {
        guard let connection = client.connection, !connection.isOver else {
            connect(client)
            return
        }
        if client.pattern == nil, generator.chance(40) { return subscribePlainly(client, connection, to: name) }
        let wish = SimulatedClient.Wish(
            name: name,
            queue: generator.chance(80) ? random(1...6) : nil,
            overflow: generator.chance(80) ? OverflowPolicy.allCases.randomElement(using: &generator) : nil,
            echo: generator.chance(80),
            presence: generator.chance(30),
            waits: generator.chance(50) && mayWait(connection, name, as: "p\(client.number)")
        )
        client.wishes.removeAll { $0.name == name }
        client.wishes.append(wish)
        follow(wish, client, connection)
    }

    /// Subscribes with positions, from where the client stopped.
    private func follow(_ wish: SimulatedClient.Wish, _ client: SimulatedClient, _ connection: SimulatedConnection) {
        guard !connection.isOver else { return }
        let handled = client.handled[wish.name]
        let resumed = handled.map { ReplayStart.position(epoch: $0.epoch, offset: UInt64($0.offset)) }
        let start = client.isFaithful ? resumed ?? .lastN(random(0...4)) : randomStart(wish.name, handled: handled)
        var request = SubscribeRequest(
            topic: wish.name,
            clientID: "p\(client.number)",
            start: start,
            queue: wish.queue,
            overflow: wish.overflow,
            detail: .positioned,
            echo: wish.echo,
            presence: wish.presence
        )
        request.waits = wish.waits
        guard let receipt = subscribe(connection, request) else {
            client.wishes.removeAll { $0.name == wish.name }
            return
        }
        guard client.isFaithful, !receipt.isWaiting else { return }
        // The receipt reports what is missed. A subscription that exists already keeps its place.
        let isBehind = handled.map { $0.epoch == receipt.epoch && $0.offset > receipt.offset } ?? false
        if !isBehind {
            client.handle(SimulatedClient.Position(epoch: receipt.epoch, offset: Int(receipt.offset)), of: wish.name)
        }
    }

    private func subscribePlainly(_ client: SimulatedClient, _ connection: SimulatedConnection, to name: String) {
        let clientID = "x\(client.number)"
        var request = SubscribeRequest(
            topic: name,
            clientID: clientID,
            start: randomStart(name, handled: nil),
            queue: random(1...6),
            overflow: OverflowPolicy.allCases.randomElement(using: &generator),
            detail: generator.chance(50) ? .plain : .keyed,
            echo: generator.chance(85)
        )
        request.waits = generator.chance(30) && mayWait(connection, name, as: clientID)
        _ = subscribe(connection, request)
    }

    /// A random start, including starts that must be refused.
    func randomStart(_ name: String, handled: SimulatedClient.Position?) -> ReplayStart {
        let epoch = model.topic(named: name)?.epoch ?? "none"
        switch random(0...9) {
        case 0..<5: return .lastN(random(0...8))
        case 5: return .all
        case 6: return .time(model.wall - Int64(random(0...3000)))
        case 7: return .age(Int64(random(0...3000)))
        case 8: return .position(epoch: handled?.epoch ?? "other", offset: UInt64(handled?.offset ?? random(0...9)))
        default: return .position(epoch: epoch, offset: UInt64(random(0...20)))
        }
    }

    /// Subscribes to a topic, and checks the receipt.
    private func subscribe(_ connection: SimulatedConnection, _ request: SubscribeRequest) -> SubscribeReceipt? {
        note("connection \(connection.expected.number) subscribes: \(request)")
        let topic = model.topic(named: request.topic)
        let placements = topic?.placements(request.start, now: model.now)
        markPlaced(on: connection)
        model.noteLook(of: connection.hub)
        do {
            let receipt = try connection.hub.subscribe(
                connection.subscriber,
                passage.request(request, for: topic, now: model.now),
                defaults: SubscriptionOptions(queue: 5),
                limits: Hub.SubscriptionLimits(subscriptions: 100)
            )
            note("    \(receipt.offset) of \(receipt.epoch), recovered: \(String(describing: receipt.isRecovered))")
            if receipt.isWaiting {
                wait(connection, request, topic)
                return receipt
            }
            guard let topic, let placements else {
                fail("\(request) was not refused")
                return nil
            }
            accept(receipt, of: request, on: topic, placements, connection)
            noteWaiting(connection, request, topic)
            return receipt
        } catch {
            let code = topic == nil ? BrokerError.Code.topicNotFound : .positionInFuture
            if placements != nil || error.code != code { fail("cannot subscribe \(request): \(error)") }
            return nil
        }
    }

    private func accept(
        _ receipt: SubscribeReceipt,
        of request: SubscribeRequest,
        on topic: ModelTopic,
        _ placements: (earliest: ModelTopic.Placement, latest: ModelTopic.Placement),
        _ connection: SimulatedConnection
    ) {
        let cursor = passage.cursor(of: receipt, on: topic)
        let (earliest, latest) = placements
        let existing = connection.expected.find(topic, isPositioned: request.detail == .positioned)
        var range = earliest.cursor...latest.cursor
        // An existing subscription keeps its place if it will get everything it asks for anyway.
        if let existing { range = min(range.lowerBound, existing.next)...range.upperBound }
        guard receipt.epoch == topic.epoch, range.contains(cursor) else {
            return fail("\(request) starts at \(cursor), not in \(range)")
        }
        if earliest == latest {
            var missed: ClosedRange<Offset>?
            if case .position(topic.epoch, let offset) = request.start, earliest.isRecovered == false {
                missed = (offset + 1)...UInt64(earliest.cursor - 1)
            }
            guard receipt.isRecovered == earliest.isRecovered, receipt.missed == missed else {
                return fail("\(request): \(receipt), not \(earliest)")
            }
        }
        let options = options(of: request, on: topic)
        if options.overflow == .throttle { topic.mayThrottle = true }
        if let existing {
            return existing.replace(options: options, cursor: cursor, mayHaveMoved: cursor >= earliest.cursor)
        }
        let subscription = ModelSubscription(
            topic: topic,
            clientID: request.clientID,
            origin: connection.expected.origin,
            isByPattern: false,
            options: options,
            next: cursor
        )
        connection.expected.subscriptions.append(subscription)
        model.announce(subscription, hasJoined: true)
    }

    func options(of request: SubscribeRequest, on topic: ModelTopic) -> SubscriptionOptions {
        SubscriptionOptions(
            queue: request.queue ?? topic.settings.queue ?? 5,
            overflow: request.overflow ?? topic.settings.overflow ?? .dropOldest,
            detail: request.detail,
            echo: request.echo,
            presence: request.presence
        )
    }

    func unsubscribe(_ client: SimulatedClient, from name: String) {
        guard let connection = client.connection, !connection.isOver else { return }
        let isPattern = connection.hasPattern && generator.chance(40)
        let isPositioned = client.pattern != nil || generator.chance(50)
        let clientID = "\(isPositioned && !isPattern ? "p" : "x")\(client.number)"
        let isWaiting = !isPattern && connection.expected.waits[name]?.clientID == clientID
        guard isWaiting || model.topic(named: name) != nil else { return }
        let target = isPattern ? client.pattern ?? name : name
        note("connection \(connection.expected.number) unsubscribes \(clientID) from \(target)")
        let ending = connection.expected.subscriptions.filter {
            if isPattern { return $0.isByPattern }
            guard $0.topic.name == name, $0.isPositioned == isPositioned, !$0.isByPattern else { return false }
            // A waiting subscription ends completely, including what it has not received from deleted topics.
            return isWaiting ? $0.waits : !$0.topic.isDeleted
        }
        if !isPattern { markPlaced(on: connection) }
        model.noteLook(of: connection.hub)
        do {
            _ = try connection.hub.unsubscribe(connection.subscriber, from: target, clientID: clientID)
        } catch {
            fail("cannot unsubscribe from \(target): \(error)")
        }
        if isPattern { connection.hasPattern = false }
        if isWaiting { connection.expected.waits[name] = nil }
        client.wishes.removeAll { isPositioned && !isPattern && $0.name == name }
        let expected = connection.expected
        model.moment += 1
        for subscription in ending {
            guard let index = expected.subscriptions.firstIndex(where: { $0 === subscription }) else { continue }
            if !expected.mayLag, subscription.isPlaced, !subscription.isComplete(now: model.now, mayLag: false) {
                fail("unsubscribed from \(subscription.topic.name) before what was published came")
            }
            model.end(expected.subscriptions.remove(at: index), of: expected)
        }
    }

    func toggle(_ client: SimulatedClient) {
        guard let connection = client.connection, !connection.isOver else {
            connect(client)
            return
        }
        if client.isSlow {
            note("client \(client.number) takes some")
            return connection.subscriber.take(random(1...6))
        }
        connection.expected.mayLag = true
        let blocks = generator.chance(50)
        note("client \(client.number) \(blocks ? "blocks" : "goes on")")
        if blocks { connection.subscriber.block() } else { connection.subscriber.unblock() }
    }

    /// Closes the connection, now or during a later delivery.
    func breakOff(_ client: SimulatedClient) {
        guard let connection = client.connection, !connection.isOver else { return }
        if generator.chance(50) {
            connection.endsAfter = min(connection.endsAfter, random(1...5))
        } else {
            note("connection \(connection.expected.number) ends")
            connection.end()
        }
    }
}
