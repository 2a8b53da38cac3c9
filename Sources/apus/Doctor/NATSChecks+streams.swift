import ApusProtocol

extension NATSChecks {
    // MARK: The way there

    func roundTrip() -> Finding? {
        let sorted = facts.roundTrips.sorted()
        guard let longest = sorted.last else { return nil }
        let median = sorted[sorted.count / 2]
        func text(_ time: Duration) -> String { Figures.time(us: time / .microseconds(1)) }
        let found = "\(text(median)) in the middle, \(text(longest)) at most, of \(sorted.count)"
        guard median >= .milliseconds(10) else { return .ok(.nats, "round trip", found) }
        return .warn(
            .nats,
            "round trip",
            found,
            why: "each ack waits for it, and one pack of a topic is on its way at a time",
            advice: "run nodes and NATS servers in one region, and look what else keeps this machine or the way busy"
        )
    }

    func clocks() -> [Finding] {
        let known = facts.servers.compactMap { server in server.clockAhead.map { (server.name, $0) } }
        guard let (name, ahead) = known.max(by: { abs($0.1) < abs($1.1) }) else { return [] }
        guard abs(ahead) > 1 else { return [.ok(.nats, "clock", "like this machine's")] }
        let direction = ahead < 0 ? "behind" : "ahead of"
        let found = "\(name) is \(Figures.digits(abs(ahead))) s \(direction) this machine"
        let why = "a message's time and the end of its ttl are by the clock of the node that took it, or that has it"
        let advice = "set the clocks of all machines by NTP: timedatectl set-ntp true"
        return [
            abs(ahead) > 60
                ? .fail(.nats, "clock", found, why: why, advice: advice)
                : .warn(.nats, "clock", found, why: why, advice: advice)
        ]
    }

    // MARK: Streams

    func streamFindings() -> [Finding] {
        let there = facts.streams.filter(\.isThere)
        var findings: [Finding] = facts.streams.compactMap(fault)
        guard !facts.streams.isEmpty else { return findings }
        if findings.isEmpty {
            let missing = facts.streams.count - there.count
            let names = facts.streams.filter { !$0.isThere }.map(\.name).joined(separator: ", ")
            switch missing {
            case 0: findings.append(.ok(.nats, "streams", "\(there.count), as a node wants them"))
            case facts.streams.count: findings.append(.ok(.nats, "streams", "none yet: the first node makes them"))
            default: findings.append(partly(names))
            }
        }
        let clustered = there.filter { $0.isClustered && $0.leader != nil }
        guard !clustered.isEmpty else { return findings }
        return findings + [leaders(clustered)] + behind(clustered)
    }

    private func partly(_ names: String) -> Finding {
        .warn(
            .nats,
            "streams",
            "not there: \(names)",
            why: "if somebody has removed them, their topics are gone for nodes that start now",
            advice: "look who did; a node makes them again when it starts, empty"
        )
    }

    private func fault(_ stream: NATSFacts.Stream) -> Finding? {
        guard stream.isThere else { return nil }
        if let failure = stream.failure {
            return .fail(
                .nats,
                "streams",
                "\(stream.name) does not answer (\(failure))",
                why: "its topics take no messages",
                advice: "see that a majority of the NATS servers that keep it runs: nats stream info \(stream.name)"
            )
        }
        if let difference = stream.difference {
            return .fail(
                .nats,
                "streams",
                "\(stream.name): \(difference)",
                why: "a node does not start with a stream that keeps or says something else",
                advice: "change it with nats stream edit \(stream.name), or set nats_prefix to a name of its own"
            )
        }
        guard stream.isClustered, stream.leader == nil else { return nil }
        return .fail(
            .nats,
            "streams",
            "\(stream.name) has no leader",
            why: "its topics take no messages until a majority of its servers has elected one",
            advice: "start the servers that keep it: \(stream.copies.map(\.server).joined(separator: ", "))"
        )
    }

    private func leaders(_ streams: [NATSFacts.Stream]) -> Finding {
        var counts: [String: Int] = [:]
        for stream in streams { counts[stream.leader ?? "", default: 0] += 1 }
        let sorted = counts.sorted { ($0.value, $1.key) > ($1.value, $0.key) }
        let found = sorted.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        let able = facts.servers.count(where: \.hasJetStream)
        guard able > 1, streams.count > 2, sorted.count == 1 else { return .ok(.nats, "leaders", found) }
        return .warn(
            .nats,
            "leaders",
            "\(found): one server leads all",
            why: "it orders and sends everything, and the others wait for it",
            advice: "let others lead some: nats stream cluster step-down STREAM"
        )
    }

    /// Copies that do not have everything.
    private func behind(_ streams: [NATSFacts.Stream]) -> [Finding] {
        var late: [String: (streams: Int, lag: UInt64, isOffline: Bool)] = [:]
        for copy in streams.flatMap(\.copies) where copy.isOffline || !copy.isCurrent {
            let known = late[copy.server] ?? (0, 0, false)
            late[copy.server] = (known.streams + 1, max(known.lag, copy.lag), known.isOffline || copy.isOffline)
        }
        guard !late.isEmpty else { return [.ok(.nats, "behind", "no copy")] }
        return late.sorted { $0.key < $1.key }.map { server, state in
            let lag = state.lag > 0 ? ", by up to \(state.lag)" : ""
            let found =
                state.isOffline
                ? "\(server) is away, with copies of \(counted(state.streams, "stream"))"
                : "\(server), with \(counted(state.streams, "stream"))\(lag)"
            return .warn(
                .nats,
                "behind",
                found,
                why: "while it is, one more server that goes away may stop the publishes",
                advice: state.isOffline ? "start it" : "wait; if it stays so, look at its disk and at the way to it"
            )
        }
    }
}
