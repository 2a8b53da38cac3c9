import Histogram

/// Adds up the results of the threads and the conductor.
struct LoadTally {
    let settings: LoadSettings
    let ledger: RunLedger
    let reports: [ThreadReport]
    /// The number of messages published to each topic.
    let sent: [Int]

    /// From this percentage on, a thread is at its limit.
    private static let busyLimit = 97.0

    func result(isInterrupted: Bool) -> LoadResult {
        let deliveries = deliveries()
        let stalled = stalled()
        let usage = serverUsage()
        var result = LoadResult(
            wire: settings.wire.name,
            server: settings.address.text(tls: settings.tls != nil),
            options: options(),
            measuredSeconds: seconds,
            isInterrupted: isInterrupted,
            connections: connections(),
            publishes: publishes(),
            deliveries: deliveries,
            stalled: stalled,
            latency: merged(\.latency),
            ackLatency: merged(\.ackLatency),
            serverUsage: usage,
            generator: generator(usage),
            errors: sum(\.errors),
            closed: sum(\.closed),
            errorTexts: Array(reports.flatMap(\.texts).prefix(5)),
            timeline: timeline(),
            violations: []
        )
        result.violations = violations(result)
        return result
    }

    private var seconds: Double {
        guard let begin = ledger.measured, let end = ledger.end else { return 0 }
        return Double(seconds: end.time - begin.time)
    }

    private func sum(_ count: KeyPath<ThreadReport, Int>) -> Int {
        reports.reduce(0) { $0 + $1[keyPath: count] }
    }

    private func perSecond(_ count: KeyPath<RunLedger.Sample, Int>) -> Double {
        guard let begin = ledger.measured, let end = ledger.end, seconds > 0 else { return 0 }
        return Double(end[keyPath: count] - begin[keyPath: count]) / seconds
    }

    private func merged(_ part: KeyPath<ThreadReport, Histogram<UInt64>>) -> LoadResult.Latency? {
        var all = LatencyRecorder.emptyHistogram()
        for report in reports { all.add(report[keyPath: part]) }
        return LoadResult.Latency(all)
    }

    // MARK: Options, connections and publishes

    private func options() -> LoadResult.Options {
        var window: Int?
        var rate: Double?
        switch settings.pace {
        case .none: break
        case .window(let messages): window = messages
        case .rate(let messages): rate = messages
        }
        let template = settings.wire.publishTemplate(
            topic: LoadTopics.name(0, prefix: settings.topicPrefix),
            payloadBytes: settings.payloadBytes
        )
        return LoadResult.Options(
            subscribers: settings.subscribers,
            topics: settings.topics,
            publishers: settings.publishers,
            window: window,
            rate: rate,
            payloadBytes: settings.payloadBytes,
            publishBytes: template.bytes.count,
            stalled: settings.stalled,
            credit: settings.credit,
            threads: settings.threads,
            warmup: settings.warmup,
            duration: settings.duration
        )
    }

    private func connections() -> LoadResult.Connections {
        let count = settings.connections
        let isSeen = !ledger.pids.isEmpty && count > 0
        func each(_ bytes: Int) -> Double? { isSeen ? Double(bytes) / Double(count) : nil }
        let proportional = ledger.connectedBytes.proportionalBytes.flatMap { later in
            ledger.atStart.proportionalBytes.map { later - $0 }
        }
        return LoadResult.Connections(
            count: count,
            seconds: ledger.connectSeconds,
            perSecond: ledger.connectSeconds > 0 ? Double(count) / ledger.connectSeconds : 0,
            cpuMicrosecondsEach: isSeen
                ? ledger.atConnected.runTime(since: ledger.atStart) * 1e6 / Double(count) : nil,
            residentBytesEach: each(ledger.connectedBytes.residentBytes - ledger.atStart.residentBytes),
            proportionalBytesEach: proportional.flatMap(each)
        )
    }

    private func publishes() -> LoadResult.Publishes {
        LoadResult.Publishes(
            total: sum(\.published),
            perSecond: perSecond(\.published),
            acked: sum(\.acked),
            acksPerSecond: perSecond(\.acked)
        )
    }

    // MARK: Deliveries and violations

    private func deliveries() -> LoadResult.Deliveries {
        var deliveries = LoadResult.Deliveries(
            expected: 0,
            received: 0,
            perSecond: perSecond(\.delivered),
            lost: 0,
            announced: 0,
            unannounced: 0,
            doubled: sum(\.doubled),
            outOfOrder: sum(\.outOfOrder),
            worstShare: 1
        )
        for subscriber in reports.flatMap(\.subscribers) where !subscriber.isStalled {
            let expected = sent[subscriber.topic]
            let lost = max(0, expected - subscriber.received)
            deliveries.expected += expected
            deliveries.received += subscriber.received
            deliveries.lost += lost
            deliveries.announced += min(lost, subscriber.announced)
            deliveries.unannounced += max(0, lost - subscriber.announced)
            if expected > 0 {
                deliveries.worstShare = min(deliveries.worstShare, Double(subscriber.received) / Double(expected))
            }
        }
        return deliveries
    }

    private func stalled() -> LoadResult.Stalled? {
        let subscribers = reports.flatMap(\.subscribers).filter(\.isStalled)
        guard !subscribers.isEmpty else { return nil }
        return subscribers.reduce(
            into: LoadResult.Stalled(
                subscribers: subscribers.count,
                closed: 0,
                expected: 0,
                received: 0,
                announced: 0,
                unannounced: 0
            )
        ) { sum, subscriber in
            let expected = sent[subscriber.topic]
            sum.expected += expected
            sum.received += subscriber.received
            sum.announced += subscriber.announced
            if subscriber.isClosed {
                sum.closed += 1
            } else {
                sum.unannounced += max(0, expected - subscriber.received - subscriber.announced)
            }
        }
    }

    /// Faults that must not happen. An announced loss is the server's policy and not a fault.
    private func violations(_ result: LoadResult) -> [String] {
        var found: [String] = []
        func note(_ count: Int, _ what: String) {
            if count > 0 { found.append("\(count) \(what)") }
        }
        note(result.deliveries.unannounced, "deliveries lost")
        note(result.deliveries.doubled, "deliveries doubled")
        note(result.deliveries.outOfOrder, "deliveries out of order")
        note(sum(\.strange), "messages that nobody published")
        if settings.wire.announcesDrops, let stalled = result.stalled {
            note(stalled.unannounced, "deliveries to stalled subscribers lost")
        }
        note(result.errors, "errors")
        note(result.closed, "connections ended by the server")
        return found
    }

    // MARK: Resource usage

    private func serverUsage() -> LoadResult.Server? {
        guard !ledger.pids.isEmpty, let begin = ledger.measured, let end = ledger.end, seconds > 0 else { return nil }
        let ran = end.server.runTime(since: begin.server)
        func each(_ count: Int) -> Double? { count > 0 ? ran * 1e6 / Double(count) : nil }
        let peak = (ledger.samples.map(\.server.residentBytes) + [ledger.finalBytes.residentBytes]).max() ?? 0
        return LoadResult.Server(
            pids: ledger.pids,
            threads: end.server.threads.count,
            cpuPercent: 100 * ran / seconds,
            busiestThreadPercent: 100 * end.server.busiestThreadTime(since: begin.server) / seconds,
            waitPercent: 100 * end.server.waitTime(since: begin.server) / seconds,
            cpuMicrosecondsPerDelivery: each(end.delivered - begin.delivered),
            cpuMicrosecondsPerPublish: each(end.published - begin.published),
            residentBytesAtStart: ledger.atStart.residentBytes,
            residentBytesConnected: ledger.connectedBytes.residentBytes,
            residentBytesAtEnd: ledger.finalBytes.residentBytes,
            residentBytesPeak: peak,
            growthBytes: ledger.finalBytes.residentBytes - ledger.connectedBytes.residentBytes,
            proportionalBytesAtEnd: ledger.finalBytes.proportionalBytes
        )
    }

    private func generator(_ usage: LoadResult.Server?) -> LoadResult.Generator {
        var cpu = 0.0
        var each: Double?
        if let begin = ledger.measured, let end = ledger.end, seconds > 0 {
            let ran = Double(seconds: end.generator - begin.generator)
            cpu = 100 * ran / seconds
            let delivered = end.delivered - begin.delivered
            if delivered > 0 { each = ran * 1e6 / Double(delivered) }
        }
        let busy = 100 * (reports.map(\.busyShare).max() ?? 0)
        let reads = sum(\.reads)
        return LoadResult.Generator(
            cpuPercent: cpu,
            busyPercent: busy,
            cpuMicrosecondsPerDelivery: each,
            bytesPerRead: reads > 0 ? Double(sum(\.bytesReceived)) / Double(reads) : 0,
            isBottleneck: busy >= Self.busyLimit && (usage?.busiestThreadPercent ?? 0) < Self.busyLimit,
            isSpinning: reports.contains(where: \.isSpinning),
            lateness: merged(\.lateness)
        )
    }

    private func timeline() -> [LoadResult.Moment] {
        guard let begin = ledger.samples.first?.time else { return [] }
        return zip(ledger.samples, ledger.samples.dropFirst()).compactMap { earlier, later in
            let seconds = Double(seconds: later.time - earlier.time)
            // The samples at the edges of the measured time come just after others.
            guard seconds > 0.01 else { return nil }
            let isSeen = !ledger.pids.isEmpty
            return LoadResult.Moment(
                seconds: Double(seconds: later.time - begin),
                publishesPerSecond: Double(later.published - earlier.published) / seconds,
                deliveriesPerSecond: Double(later.delivered - earlier.delivered) / seconds,
                serverCpuPercent: isSeen ? 100 * later.server.runTime(since: earlier.server) / seconds : nil,
                serverResidentBytes: isSeen ? later.server.residentBytes : nil
            )
        }
    }
}
