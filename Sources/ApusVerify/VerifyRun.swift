import ApusClient
import ApusProtocol
import NIOCore

/// A complete verification: topics, subscribers and publishers against one server, or the nodes of one cluster, and the
/// result.
package struct VerifyRun: Sendable {
    let settings: VerifySettings
    let control: VerifyControl

    package init(settings: VerifySettings, control: VerifyControl = VerifyControl()) {
        self.settings = settings
        self.control = control
    }

    /// What is known after the server has been probed.
    struct Stage {
        let client: RESTClient
        let features: ServerFeatures
        let room: VerifyTopics.Room
        let records: [TopicRecord]
        let readers: VerifyReaders
        /// Of each node.
        let booksBefore: [ServerBooks?]
    }

    /// Runs to the end, and then deletes the topics.
    ///
    /// Throws if the run cannot even start: the server is unreachable, access is denied, or it does not support
    /// positions.
    package func run() async throws -> Verdict {
        let topics = VerifyTopics(settings: settings)
        // Fails if there is no server at all, or a node is missing.
        for node in nodes { _ = try await node.get("/health") }
        let outcome: (ServerBooks.Outcome, Double)
        do {
            let stage = try await prepare(topics)
            outcome = try await perform(stage)
        } catch {
            _ = await topics.delete()
            throw error
        }
        let left = await topics.delete()
        if !left.isEmpty { control.note("could not delete \(left.joined(separator: ", "))") }
        return Verdict(
            settings: settings,
            sums: control.sums,
            failure: control.failure,
            isInterrupted: control.isInterrupted,
            books: outcome.0,
            seconds: outcome.1
        )
    }

    // MARK: Preparation

    private func prepare(_ topics: VerifyTopics) async throws -> Stage {
        let booksBefore = await readBooks()
        var room = try await topics.create(history: settings.history) { control.note($0) }
        try await waitForTopics(topics.names)
        var readers = VerifyReaders(settings: settings, queue: room.queue)
        if let queue = room.queue, try await refuses(queue: queue, readers, topic: topics.names[0]) {
            room = VerifyTopics.room(history: settings.history)
            readers.queue = nil
            control.note("the server takes no queue of \(queue): counted on one of 1000")
        }
        let features = try await ServerFeatures.probe(
            settings.transports ?? VerifyTransport.allCases,
            topic: topics.names[0],
            readers: readers,
            client: topics.client
        ) { transport, why in
            guard settings.transports == nil else {
                throw VerifyFailure(.refused, "the server gives no positions over \(transport.rawValue): \(why)")
            }
            control.note("without \(transport.rawValue): \(why)")
        }
        guard !features.transports.isEmpty else {
            let reasons = control.sums.notes.filter { $0.hasPrefix("without") }.joined(separator: "; ")
            throw VerifyFailure(.refused, "the server gives no positions, so nothing can be resumed: \(reasons)")
        }
        if !features.takesPosts { control.note("the server takes no POST /topics/{name}/messages") }
        return Stage(
            client: topics.client,
            features: features,
            room: room,
            records: topics.names.map(TopicRecord.init),
            readers: readers,
            booksBefore: booksBefore
        )
    }

    /// Whether the server refuses a subscription with a queue of this size.
    private func refuses(queue: Int, _ readers: VerifyReaders, topic: String) async throws -> Bool {
        let transports = settings.transports ?? VerifyTransport.allCases
        guard let transport = transports.first(where: { $0 != .poll }) else { return false }
        let head = try await readers.reader(transport, topic: topic, clientID: "verify-probe").head()
        return head == .none(ErrorCode.badRequest.rawValue) || head == .none("400")
    }

    // MARK: The run

    private func perform(_ stage: Stage) async throws -> (ServerBooks.Outcome, Double) {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<settings.subscribers {
                let subscriber = subscriber(number, stage)
                subscriber.record.join(number)
                control.update { $0.byTransport[subscriber.schedule.transport, default: .init()].subscribers += 1 }
                group.addTask { await subscriber.run() }
            }
            let seconds = try await publish(stage)
            let finals = await drain(stage)
            let open = await books(stage)
            control.finish(finals: finals)
            group.cancelAll()
            try await group.waitForAll()
            if settings.restarts != nil || !settings.others.isEmpty { await readAgain(stage, finals) }
            // Check again after all subscriptions have ended: every pending message must have been counted.
            guard case .balanced = open else { return (open, seconds) }
            return (await books(stage), seconds)
        }
    }

    private func subscriber(_ number: Int, _ stage: Stage) -> VerifySubscriber {
        let schedule = SubscriberSchedule(
            seed: settings.seed,
            number: number,
            settings: settings,
            transports: stage.features.transports
        )
        let record = stage.records[schedule.topic]
        return VerifySubscriber(
            number: number,
            schedule: schedule,
            readers: settings.nodes.indices.map { node in
                stage.readers.reader(schedule.transport, topic: record.name, clientID: "verify-\(number)", node: node)
            },
            record: record,
            control: control,
            topicRate: settings.rate / Double(settings.topics)
        )
    }

    /// Publishes for the whole duration. Returns the actual duration in seconds.
    private func publish(_ stage: Stage) async throws -> Double {
        let isReady = try await control.wait(until: .now() + .seconds(30)) {
            control.started >= settings.subscribers || control.isInterrupted
        }
        if !isReady { control.fail("not every subscriber got a first position within 30 s") }
        let begin = NIODeadline.now()
        control.enter(.publishing)
        async let publishing: Void = runPublishers(stage)
        try await restartServer(since: begin)
        let end = begin + .nanoseconds(Int64(settings.duration * 1e9))
        _ = try await control.wait(until: end) { control.isInterrupted }
        control.enter(.draining)
        await publishing
        return Double((NIODeadline.now() - begin).nanoseconds) / 1e9
    }

    private func runPublishers(_ stage: Stage) async {
        await withTaskGroup { group in
            for number in 0..<settings.publishers {
                let publisher = VerifyPublisher(
                    number: number,
                    route: route(number, stage.features),
                    settings: settings,
                    records: stage.records,
                    control: control,
                    lagLimit: stage.room.lagLimit
                )
                group.addTask { await publisher.run() }
            }
        }
    }

    /// Assigns the routes in turn: WebSocket and HTTP, base dialect and v1.
    private func route(_ number: Int, _ features: ServerFeatures) -> VerifyPublisher.Route {
        let hasWebSockets = features.transports.contains { $0 == .ws || $0 == .v1 }
        let dialects: [ServerAddress.Dialect] =
            switch (features.transports.contains(.ws), features.transports.contains(.v1)) {
            case (true, true): [.base, .v1]
            case (false, true): [.v1]
            case (true, false): [.base]
            case (false, false): [settings.address.dialect]
            }
        let isPost = features.takesPosts && (number % 2 == 1 || !hasWebSockets)
        return VerifyPublisher.Route(dialect: dialects[number / 2 % dialects.count], isPost: isPost)
    }

    // MARK: Drain

    /// Waits until every subscriber has received everything, or until nothing arrives any more. Returns the topics'
    /// last offsets.
    private func drain(_ stage: Stage) async -> [Int] {
        var finals: [Int] = []
        for record in stage.records { finals.append(await final(record, stage)) }
        var delivered = -1
        var lastProgress = NIODeadline.now()
        while control.failure == nil {
            let isComplete = zip(stage.records, finals).allSatisfy { ($0.slowest ?? $1) >= $1 }
            if isComplete { break }
            let now = control.sums.counts.delivered
            if now != delivered {
                delivered = now
                lastProgress = .now()
            } else if Double((NIODeadline.now() - lastProgress).nanoseconds) / 1e9 > settings.patience {
                break
            }
            try? await Task.sleep(for: .milliseconds(20))
        }
        // Wait for duplicates, which would arrive now.
        try? await Task.sleep(for: .milliseconds(300))
        return finals
    }

    /// The last offset of a topic: what the server, or the foremost node, answers, or a later offset that was acked or
    /// seen.
    private func final(_ record: TopicRecord, _ stage: Stage) async -> Int {
        var last: Int?
        for node in settings.nodes.indices {
            for transport in stage.features.transports {
                let reader = stage.readers.reader(transport, topic: record.name, clientID: "verify-final", node: node)
                guard case .position(let position)? = try? await reader.head() else { continue }
                last = max(last ?? 0, position.offset)
                break
            }
        }
        if last == nil {
            control.note("the server does not say where \(record.name) ends: took what was acked and seen")
        }
        return max(last ?? 0, record.highest)
    }
}
