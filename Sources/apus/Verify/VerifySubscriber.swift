import ApusClient
import ApusProtocol
import NIOCore

/// Subscribes, is cut off, and comes back, until the run is over; checks all that it gets.
struct VerifySubscriber: Sendable {
    /// Without any answer for this long the server counts as gone.
    private static let patience = TimeAmount.seconds(30)

    let number: Int
    let schedule: SubscriberSchedule
    let reader: any EventReader
    let record: TopicRecord
    let control: VerifyControl
    /// Events per second that the topic is to have; slow readers go by it.
    let topicRate: Double

    /// One run's state; used by the subscriber's task only.
    private final class Progress {
        let check: SubscriberCheck
        var flushed = VerifyCounts()
        /// Since when, and up to which offset, it is catching up after a cut.
        var recovery: (since: NIODeadline, target: Int)?
        /// Whether the connection before ended by our doing.
        var wasCut = true
        var isAnswered = false
        /// Since when no connection was answered; nil when the last one was.
        var failingSince: NIODeadline?
        var code: String?

        init(check: SubscriberCheck) {
            self.check = check
        }
    }

    func run() async {
        let control = control
        let progress = Progress(check: SubscriberCheck(number: number, record: record) { control.report($0) })
        var schedule = schedule
        var isReconnect = false
        while !Task.isCancelled, progress.check.failure == nil, control.phase < .done {
            let planned = schedule.nextSession()
            let plan = control.phase < .draining ? planned : planned.endless
            try? await Task.sleep(for: .seconds(plan.pause))
            if isReconnect { control.update { $0.byTransport[schedule.transport, default: .init()].reconnects += 1 } }
            isReconnect = true
            await session(plan, progress)
        }
        if let failure = progress.check.failure { control.fail(failure) }
        finish(progress)
    }

    private func session(_ plan: SessionPlan, _ progress: Progress) async {
        let begin = NIODeadline.now()
        if let position = progress.check.position {
            // Cut again before it had all, the time starts over: its own pauses are not the server's.
            let since = progress.wasCut ? begin : progress.recovery?.since ?? begin
            let target = progress.recovery?.target ?? record.highest
            progress.recovery = target > position.offset ? (since, target) : nil
        }
        progress.wasCut = true
        progress.isAnswered = false
        progress.code = nil
        do {
            let cut = plan.life.map { begin + .nanoseconds(Int64($0 * 1e9)) }
            try await reader.read(after: progress.check.position, plan: plan) { arrivals in
                try await take(arrivals, plan: plan, cut: cut, progress)
            }
        } catch let error as ClientError {
            if error.code == .unauthorized { control.fail(error.message) }
            await pauseAfterFailure(progress, "\(error)")
        } catch {
            await pauseAfterFailure(progress, "\(error)")
        }
        if let code = progress.code { await ended(code, progress) }
    }

    /// Takes what a connection brought; false when the connection is to be cut.
    private func take(
        _ arrivals: [Arrival],
        plan: SessionPlan,
        cut: NIODeadline?,
        _ progress: Progress
    ) async throws -> Bool {
        let check = progress.check
        let isCut = cut.map { NIODeadline.now() >= $0 && plan.cutsMidBatch && arrivals.count > 1 } ?? false
        let handled = isCut ? arrivals.prefix(max(1, Int(plan.cutShare * Double(arrivals.count)))) : arrivals[...]
        let isFirst = check.position == nil
        check.receive(handled)
        flush(progress)
        if isFirst, check.position != nil { control.subscriberStarted() }
        for arrival in handled {
            if case .started = arrival { progress.isAnswered = true }
            if case .ended(let code) = arrival { progress.code = code }
        }
        recovered(progress)
        if isCut || progress.code != nil || check.failure != nil { return false }
        if let pace = plan.pace, control.phase < .draining {
            try await Task.sleep(for: .seconds(Double(handled.count) / (topicRate * pace)))
        }
        return true
    }

    private func recovered(_ progress: Progress) {
        guard progress.isAnswered else { return }
        progress.failingSince = nil
        guard let recovery = progress.recovery, let position = progress.check.position,
            position.offset >= recovery.target
        else { return }
        progress.recovery = nil
        // How long a slow reader takes is its own doing.
        guard !schedule.isSlow else { return }
        let time = NIODeadline.now() - recovery.since
        control.update { $0.recovery.record(microseconds: Int(time.nanoseconds / 1000)) }
    }

    // MARK: What goes wrong

    /// What the server said when it ended a connection, or refused one.
    private func ended(_ code: String, _ progress: Progress) async {
        switch code {
        case "1006", "1005", "1000":
            // A socket that broke; ours do.
            return
        case ErrorCode.topicNotFound.rawValue, "TOPIC_DELETED", "404":
            control.fail("topic '\(record.name)' is gone (\(code))")
        case ErrorCode.unauthorized.rawValue, ErrorCode.forbidden.rawValue, ErrorCode.badRequest.rawValue,
            ErrorCode.methodNotAllowed.rawValue, "400", "401", "403", "405":
            control.fail("the server refuses subscriber \(number) (\(code))")
        default:
            control.ended(code: code)
            await pauseAfterFailure(progress, code)
        }
    }

    private func pauseAfterFailure(_ progress: Progress, _ what: String) async {
        guard !Task.isCancelled, control.phase < .done else { return }
        progress.wasCut = false
        control.update { $0.failedConnects += 1 }
        let since = progress.failingSince ?? .now()
        progress.failingSince = since
        if NIODeadline.now() - since > Self.patience {
            control.fail("the server does not answer subscriber \(number) any more: \(what)")
        }
        try? await Task.sleep(for: .milliseconds(200))
    }

    // MARK: Sums

    private func flush(_ progress: Progress) {
        let counts = progress.check.counts
        guard counts != progress.flushed else { return }
        let flushed = progress.flushed
        progress.flushed = counts
        control.update { sums in
            sums.counts -= flushed
            sums.counts += counts
            sums.byTransport[schedule.transport, default: .init()].delivered += counts.delivered - flushed.delivered
        }
    }

    private func finish(_ progress: Progress) {
        guard let last = control.final(topic: schedule.topic) else { return }
        // Of a run that was broken off nobody knows what would have come.
        if control.failure == nil { progress.check.finish(last: last) }
        flush(progress)
        let expected = progress.check.expected(last: last)
        control.update { $0.expected += expected }
    }
}
