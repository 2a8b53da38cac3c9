import ApusClient
import ApusProtocol
import NIOCore

/// Subscribes, is disconnected and reconnects until the run is over. Checks everything that it receives.
struct VerifySubscriber: Sendable {
    /// Without any answer for this long, the server counts as gone.
    private static let patience = TimeAmount.seconds(30)

    let number: Int
    let schedule: SubscriberSchedule
    /// One for each node.
    let readers: [any EventReader]
    let record: TopicRecord
    let control: VerifyControl
    /// The topic's planned rate in events per second. It sets the pace of slow readers.
    let topicRate: Double

    /// The state of one run. Used only by the subscriber's task.
    private final class Progress {
        let check: SubscriberCheck
        var flushed = VerifyCounts()
        /// Since when, and up to which offset, the subscriber is catching up after a disconnect.
        var recovery: (since: NIODeadline, target: Int)?
        /// Whether the subscriber itself ended the previous connection.
        var wasCut = true
        var isAnswered = false
        /// Since when no connection was answered; `nil` if the last one was.
        var failingSince: NIODeadline?
        var code: String?
        /// The node of the previous connection.
        var node: Int?

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
            if let node = progress.node, node != plan.node { control.update { $0.moves += 1 } }
            progress.node = plan.node
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
            // If the subscriber cuts the connection again before it has caught up, the time starts over: its own pauses
            // are not the server's fault.
            let since = progress.wasCut ? begin : progress.recovery?.since ?? begin
            let target = progress.recovery?.target ?? record.highest
            progress.recovery = target > position.offset ? (since, target) : nil
        }
        progress.wasCut = true
        progress.isAnswered = false
        progress.code = nil
        do {
            let cut = plan.life.map { begin + .nanoseconds(Int64($0 * 1e9)) }
            try await readers[plan.node].read(after: progress.check.position, plan: plan) { arrivals in
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

    /// Handles what a connection delivered. Returns `false` if the connection must be cut.
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
        // A slow reader is slow on purpose, so its time does not count.
        guard !schedule.isSlow else { return }
        let time = NIODeadline.now() - recovery.since
        control.update { $0.recovery.record(microseconds: Int(time.nanoseconds / 1000)) }
    }

    // MARK: Failures

    /// Handles the code with which the server ended or refused a connection.
    private func ended(_ code: String, _ progress: Progress) async {
        switch code {
        case "1006", "1005", "1000":
            // A broken socket, which is normal here: the subscribers break their own.
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
        // If the run was aborted, nobody knows what would have arrived.
        if control.failure == nil { progress.check.finish(last: last) }
        flush(progress)
        let expected = progress.check.expected(last: last)
        if progress.check.counts.delivered == last { record.sawAll(digest: progress.check.digest) }
        control.update { $0.expected += expected }
    }
}
