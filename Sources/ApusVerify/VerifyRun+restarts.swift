import NIOCore

/// How a server is restarted during a run.
package struct VerifyRestarts: Sendable {
    let count: Int
    /// Kills the server and starts it again on the same data. Returns when it answers.
    let restart: @Sendable () async throws -> Void

    package init(count: Int, restart: @escaping @Sendable () async throws -> Void) {
        self.count = count
        self.restart = restart
    }
}

extension VerifyRun {
    /// Restarts the server, at even distances over the time of publishing, but only after something was acked since the
    /// last time. Returns after the last restart.
    func restartServer(since begin: NIODeadline) async throws {
        guard let restarts = settings.restarts else { return }
        for number in 1...restarts.count {
            let share = Double(number) / Double(restarts.count + 1)
            let time = begin + .nanoseconds(Int64(settings.duration * share * 1e9))
            let before = control.sums.published
            _ = try await control.wait(until: time) { control.isInterrupted }
            let isAcked = try await control.wait(until: .now() + .seconds(30)) {
                control.sums.published > before || control.isInterrupted
            }
            if control.isInterrupted || control.failure != nil { return }
            guard isAcked else { return control.fail("nothing was acked within 30 s of a start") }
            do {
                try await restarts.restart()
            } catch {
                return control.fail("the server did not come back: \(error)")
            }
            control.update { $0.restarts += 1 }
        }
    }

    /// Reads every topic from its first message to its last, on each node, and compares that with what was acked and
    /// seen.
    func readAgain(_ stage: Stage, _ finals: [Int]) async {
        for (record, last) in zip(stage.records, finals) where last > 0 {
            for node in settings.nodes.indices where control.failure == nil {
                await readAgain(record, last: last, stage.readers, node: node)
            }
        }
    }

    private func readAgain(_ record: TopicRecord, last: Int, _ readers: VerifyReaders, node: Int) async {
        guard let epoch = record.epoch else { return }
        let control = control
        let place = settings.others.isEmpty ? "" : " at \(settings.nodes[node])"
        let number = settings.subscribers + node
        let check = SubscriberCheck(number: number, name: "reading again\(place)", record: record) {
            control.report($0)
        }
        check.receive([.started(.init(position: LogPosition(epoch: epoch, offset: 0)))])
        // A page at a time, as long as pages come.
        let reader = readers.reader(.poll, topic: record.name, clientID: "verify-again", node: node)
        do {
            try await reader.read(after: check.position, plan: .endless) { arrivals in
                let before = check.position
                check.receive(arrivals)
                return check.failure == nil && check.position != before && (check.position?.offset ?? 0) < last
            }
        } catch {
            return control.fail("cannot read '\(record.name)' again\(place): \(error)")
        }
        if let failure = check.failure { return control.fail(failure) }
        check.finish(last: last)
        add(check, last: last, record)
    }

    /// Adds what a second reading found. What it misses was acked or seen, and is gone.
    private func add(_ check: SubscriberCheck, last: Int, _ record: TopicRecord) {
        var found = check.counts
        let outdated = max(0, last - settings.kept)
        if outdated > 0 {
            control.note("\(record.name): the first \(outdated) were not read again: history is shorter")
        }
        found.vanished += found.lost + max(0, found.announced - outdated)
        if found.delivered == last {
            if record.digests.contains(where: { $0 != check.digest }) {
                found.vanished += 1
                control.report("\(check.name), \(record.name): what others saw is not what is there")
            }
            // The next node has to have the same.
            if record.digests.isEmpty { record.sawAll(digest: check.digest) }
        }
        (found.delivered, found.lost, found.announced) = (0, 0, 0)
        let sums = found
        control.update { $0.counts += sums }
    }
}
