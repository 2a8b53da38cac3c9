import ApusBroker
import ApusProtocol

// Subscriptions to patterns, and the topics that are created after them.

extension SimulatedWorld {
    func subscribeToPattern(_ client: SimulatedClient) {
        guard let connection = client.connection, !connection.isOver, let pattern = client.pattern else { return }
        // Subscriptions that their hub has not placed yet get no replay. Which ones these are is known only at rest.
        if connection.expected.subscriptions.contains(where: { !$0.isPlaced }) { rest() }
        guard !connection.isOver else { return }
        let request = SubscribeRequest(
            topic: pattern,
            clientID: "x\(client.number)",
            start: .lastN(random(0...4)),
            queue: random(1...6),
            overflow: OverflowPolicy.allCases.randomElement(using: &generator),
            detail: .keyed,
            echo: generator.chance(85)
        )
        note("connection \(connection.expected.number) subscribes: \(request)")
        let options = SubscriptionOptions(
            queue: request.queue ?? 1,
            overflow: request.overflow ?? .dropOldest,
            detail: .keyed,
            echo: request.echo
        )
        model.noteLook(of: connection.hub)
        do {
            _ = try connection.hub.subscribe(
                connection.subscriber,
                request,
                defaults: SubscriptionOptions(queue: 5),
                limits: Hub.SubscriptionLimits(subscriptions: 100)
            )
        } catch {
            return fail("cannot subscribe \(request): \(error)")
        }
        connection.hasPattern = true
        connection.patternOptions = options
        for topic in model.topics where !topic.isDeleted && Self.matches(pattern, topic.name) {
            place(connection, on: topic, request, options)
        }
    }

    private func place(
        _ connection: SimulatedConnection,
        on topic: ModelTopic,
        _ request: SubscribeRequest,
        _ options: SubscriptionOptions
    ) {
        guard let (earliest, latest) = topic.placements(request.start, now: model.now) else { return }
        if options.overflow == .throttle { topic.mayThrottle = true }
        if let existing = connection.expected.find(topic, isPositioned: false) {
            return existing.replace(options: options, between: earliest.cursor, and: latest.cursor)
        }
        let subscription = ModelSubscription(
            topic: topic,
            clientID: request.clientID,
            origin: connection.expected.origin,
            isByPattern: true,
            options: options,
            next: earliest.cursor,
            latest: latest.cursor
        )
        connection.expected.subscriptions.append(subscription)
        model.announce(subscription, hasJoined: true)
    }

    /// A topic was created. Every pattern that matches receives it from its first message on.
    func promise(_ topic: ModelTopic) {
        for client in clients {
            guard let connection = client.connection, !connection.isOver, connection.hasPattern,
                let pattern = client.pattern, Self.matches(pattern, topic.name)
            else { continue }
            let subscription = ModelSubscription(
                topic: topic,
                clientID: "x\(client.number)",
                origin: connection.expected.origin,
                isByPattern: true,
                options: connection.patternOptions,
                next: 1,
                isPromised: true
            )
            if connection.patternOptions.overflow == .throttle { topic.mayThrottle = true }
            topic.lateJoiners.append(subscription.clientID)
            connection.expected.subscriptions.append(subscription)
        }
    }

    /// Whether a pattern matches a name, written out case by case.
    static func matches(_ pattern: String, _ name: String) -> Bool {
        switch pattern {
        case ">": true
        case "a.*", "a.>": name == "a.x" || name == "a.y"
        case "*.x": name == "a.x" || name == "b.x"
        default: false
        }
    }
}
