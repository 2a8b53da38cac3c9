import ApusClient
import ApusProtocol
import NIOCore

/// Publishes according to its schedule, over WebSocket or HTTP, until publishing is over.
///
/// After a broken connection or a refusal, it starts new streams. Unanswered messages may be stored or not, and are
/// never sent again.
struct VerifyPublisher: Sendable {
    enum Route: Sendable {
        case webSocket(ServerAddress)
        case http(ServerAddress)
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
        var failures = 0
        while control.phase == .publishing, !Task.isCancelled {
            do {
                switch route {
                case .webSocket(let address): try await publish(over: address, pace: &pace)
                case .http(let address): try await post(to: address, pace: &pace)
                }
                failures = 0
            } catch {
                failures += 1
                if failures > 100 { control.fail("publisher \(number) cannot publish: \(error)") }
                try? await Task.sleep(for: .milliseconds(200))
            }
        }
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
