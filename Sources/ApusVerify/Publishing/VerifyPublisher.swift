import ApusClient
import ApusProtocol
import NIOCore

/// Publishes according to its schedule, over WebSocket or HTTP, until publishing is over.
///
/// After a broken connection or a refusal, it starts new streams. Unanswered messages may be stored or not, and are
/// never sent again. When it moves to another node after all was answered, the streams go on: their order has to hold
/// across nodes.
struct VerifyPublisher: Sendable {
    /// Whether to publish over WebSockets, and in which dialect.
    struct Route: Sendable {
        let dialect: ServerAddress.Dialect
        let isPost: Bool
    }

    /// One connection: where to, and when it is time to move.
    struct Visit {
        let address: ServerAddress
        let end: NIODeadline

        var isOver: Bool { NIODeadline.now() >= end }
    }

    let number: Int
    let route: Route
    let settings: VerifySettings
    let records: [TopicRecord]
    let control: VerifyControl
    /// How far a topic's slowest subscriber may be behind before publishing to the topic pauses.
    let lagLimit: Int

    /// Computes when the next message is due.
    struct Pace {
        var schedule: PublisherSchedule
        var due = NIODeadline.now()
        private var upcoming: PublisherSchedule.Send?

        init(schedule: PublisherSchedule) {
            self.schedule = schedule
        }

        /// The next message, if it is due.
        mutating func next(now: NIODeadline) -> PublisherSchedule.Send? {
            let send: PublisherSchedule.Send
            if let upcoming {
                send = upcoming
            } else {
                send = schedule.next()
                // After a wait, publishing continues at its pace. It catches up at most one second.
                due = max(due, now - .seconds(1)) + .nanoseconds(Int64(send.delay * 1e9))
                upcoming = send
            }
            guard due <= now else { return nil }
            upcoming = nil
            return send
        }
    }

    func run() async {
        guard (try? await control.wait { control.phase >= .publishing }) == true else { return }
        let schedule = PublisherSchedule(
            seed: settings.seed,
            number: number,
            publishers: settings.publishers,
            topics: settings.topics,
            rate: settings.rate
        )
        var pace = Pace(schedule: schedule)
        var streams = PublishStreams(seed: settings.seed, records: records)
        defer { streams.close() }
        var nodes = NodeSchedule(seed: settings.seed, place: "publisher \(number)", nodes: settings.nodes.count)
        var (node, failures) = (nodes.next(), 0)
        while control.phase == .publishing, !Task.isCancelled {
            do {
                let visit = visit(node, &nodes)
                let isWhole =
                    route.isPost
                    ? try await post(visit, pace: &pace, &streams)
                    : try await publish(visit, pace: &pace, &streams)
                if !isWhole { streams.close() }
                failures = 0
            } catch {
                streams.close()
                failures += 1
                if failures > 100 { control.fail("publisher \(number) cannot publish: \(error)") }
                try? await Task.sleep(for: .milliseconds(200))
            }
            let next = nodes.next()
            if next != node { control.update { $0.moves += 1 } }
            node = next
        }
    }

    private func visit(_ node: Int, _ nodes: inout NodeSchedule) -> Visit {
        let address = settings.nodes[node].speaking(route.dialect)
        guard !settings.others.isEmpty else { return Visit(address: address, end: .distantFuture) }
        let stay = nodes.stay(in: settings.dropEvery)
        return Visit(address: address, end: .now() + .nanoseconds(Int64(stay * 1e9)))
    }

    /// Waits until the publish leaves no subscriber too far behind. Returns `false` if publishing ends first.
    func waitForRoom(_ pending: PublishWindow.Pending) async throws -> Bool {
        let record = records[pending.topic]
        func takeRoom() -> Bool {
            record.takeRoom(stream: pending.stream, count: pending.count, limit: lagLimit)
        }
        if takeRoom() { return true }
        let begin = NIODeadline.now()
        defer {
            let waited = Double((NIODeadline.now() - begin).nanoseconds) / 1e9
            control.update { $0.heldBack += waited }
        }
        while control.phase == .publishing {
            try await Task.sleep(for: .milliseconds(5))
            if takeRoom() { return true }
        }
        return false
    }

    /// Records an answer that says where the messages are stored.
    func stored(_ pending: PublishWindow.Pending, _ members: [String: JSONText]) {
        let (place, fault) = AckedPlace.read(members, for: pending)
        var contradictions: [String] = []
        if let place {
            contradictions = records[pending.topic].acked(
                stream: pending.stream,
                first: pending.first,
                count: pending.count,
                at: place.offset,
                epoch: place.epoch
            )
        }
        control.update { sums in
            sums.published += pending.count
            sums.counts.misplaced += contradictions.count
            sums.counts.faults += fault == nil ? 0 : 1
        }
        for what in contradictions { control.report("publisher \(number), \(records[pending.topic].name): \(what)") }
        if let fault { control.report("publisher \(number), \(records[pending.topic].name): \(fault)") }
    }

    /// Records a refusal. The run continues only after temporary refusals.
    func refused(_ pending: PublishWindow.Pending, code: String) {
        records[pending.topic].refused(stream: pending.stream, first: pending.first, count: pending.count)
        control.update { $0.refused += pending.count }
        if ![ErrorCode.unavailable.rawValue, ErrorCode.overloaded.rawValue, ErrorCode.rateLimited.rawValue].contains(
            code
        ) {
            let name = records[pending.topic].name
            control.fail("the server refuses what publisher \(number) sends to '\(name)' (\(code))")
        }
    }
}
