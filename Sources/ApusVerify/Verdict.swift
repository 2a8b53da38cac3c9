import ApusClient
import ApusProtocol

/// The result of a verification.
package struct Verdict: Sendable {
    let settings: VerifySettings
    let sums: VerifyControl.Sums
    /// Why the run was aborted; `nil` if it was not.
    let failure: String?
    let isInterrupted: Bool
    let books: ServerBooks.Outcome
    /// How long the publishers published, in seconds.
    let seconds: Double

    /// Whether no message was lost, duplicated or reordered, and the server's counters agree.
    package var isProven: Bool {
        if case .violated = books { return false }
        guard failure == nil, sums.counts.violations == 0, sums.published > 0 else { return false }
        return settings.allowsDrops || (sums.counts.announced == 0 && sums.counts.delivered == sums.expected)
    }

    /// The percentage of expected messages that were delivered, truncated to three decimals. It is 100 only if all were
    /// delivered.
    var percent: String {
        guard sums.expected > 0, sums.counts.delivered >= 0 else { return "0" }
        if sums.counts.delivered == sums.expected { return "100" }
        let thousandths = min(99_999, sums.counts.delivered * 100_000 / sums.expected)
        let digits = String(thousandths % 1_000 + 1_000).dropFirst()
        return "\(thousandths / 1_000).\(digits)"
    }

    private var reconnects: Int { sums.byTransport.values.reduce(0) { $0 + $1.reconnects } }

    private var transports: [(VerifyTransport, VerifyControl.TransportSums)] {
        VerifyTransport.allCases.compactMap { transport in sums.byTransport[transport].map { (transport, $0) } }
    }

    // MARK: For people

    package var text: String {
        var lines = violationLines
        lines += sums.notes.map { "note: \($0)" }
        lines += [
            "published   \(sums.published) in \(Self.tenths(seconds)) s by \(counted(settings.publishers, "publisher"))"
                + " to \(counted(settings.topics, "topic"))" + publishRemarks,
            "delivered   \(sums.counts.delivered) of \(sums.expected) (\(percent) %)",
        ]
        lines += transports.map { transport, sums in
            let name = transport.rawValue + String(repeating: " ", count: 12 - transport.rawValue.count)
            return "  \(name)\(counted(sums.subscribers, "subscriber")), \(counted(sums.delivered, "event")), "
                + counted(sums.reconnects, "reconnect")
        }
        if !settings.others.isEmpty {
            lines.append("nodes       \(settings.nodes.count), \(counted(sums.moves, "move")) between them")
        }
        if settings.restarts != nil { lines.append("restarts    \(sums.restarts) by kill -9") }
        lines.append("recovery    \(recoveryText)")
        if !sums.ended.isEmpty || sums.failedConnects > 0 { lines.append("connections \(endedText)") }
        lines.append("books       \(booksText)")
        lines.append(
            violationCounts.map { "\($0.name) \($0.count)" }.joined(separator: ", ")
                + ", announced \(sums.counts.announced)"
        )
        lines.append("verdict     \(conclusion) (seed \(settings.seed))")
        return lines.joined(separator: "\n") + "\n"
    }

    private var conclusion: String {
        let end = isInterrupted ? ", interrupted" : ""
        if let failure { return "broken off: \(failure)" }
        if isProven {
            let drops = sums.counts.announced > 0 ? " but what was announced" : ""
            let over = ", nothing vanished, over \(counted(sums.restarts, "restart"))"
            let restarts = settings.restarts == nil ? "" : over
            let nodes = settings.others.isEmpty ? "" : ", the same on \(settings.nodes.count) nodes"
            return "nothing lost\(drops), nothing doubled, nothing reordered\(restarts)\(nodes)\(end)"
        }
        if sums.published == 0 { return "nothing was published\(end)" }
        var findings = violationCounts.filter { $0.count != 0 }.map { "\($0.count) \($0.name)" }
        if sums.counts.announced > 0 { findings.append("\(sums.counts.announced) announced as lost") }
        if case .violated = books { findings.append("the server's books are wrong") }
        return "VIOLATED: \(findings.joined(separator: ", ")); \(percent) % delivered\(end)"
    }

    private var violationLines: [String] {
        let more = sums.counts.violations + sums.counts.announced > sums.violations.count && !sums.violations.isEmpty
        return sums.violations.map { "violation: \($0)" } + (more ? ["violation: … the counts below have all"] : [])
    }

    private var publishRemarks: String {
        var remarks = ""
        if sums.refused > 0 { remarks += ", \(sums.refused) refused" }
        if sums.unanswered > 0 { remarks += ", \(sums.unanswered) without an answer" }
        if sums.heldBack >= 0.1 {
            remarks += ", waited \(Self.tenths(sums.heldBack)) s in all for the slowest subscriber"
        }
        return remarks
    }

    private var recoveryText: String {
        guard let middle = sums.recovery.quantile(0.5), let high = sums.recovery.quantile(0.99) else { return "none" }
        return "p50 \(Self.milliseconds(middle)) ms, p99 \(Self.milliseconds(high)) ms of \(sums.recovery.count)"
    }

    private var endedText: String {
        var parts = sums.ended.sorted { $0.key < $1.key }.map { "\($0.value) ended by the server with \($0.key)" }
        if sums.failedConnects > 0 { parts.append("\(sums.failedConnects) attempts failed") }
        return parts.joined(separator: ", ")
    }

    private var booksText: String {
        switch books {
        case .balanced(let equation): "add up: \(equation)"
        case .violated(let what): "VIOLATED: \(what)"
        case .inconclusive(let why): "not checked: \(why)"
        }
    }

    private var violationCounts: [(name: String, count: Int)] {
        [
            ("lost", sums.counts.lost), ("doubled", sums.counts.doubled), ("reordered", sums.counts.reordered),
            ("misplaced", sums.counts.misplaced), ("damaged", sums.counts.damaged), ("vanished", sums.counts.vanished),
            ("faults", sums.counts.faults),
        ]
    }

    // MARK: For programs

    package var json: String {
        let perTransport = transports.map { transport, sums in
            "\"\(transport.rawValue)\":{\"subscribers\":\(sums.subscribers),\"delivered\":\(sums.delivered),"
                + "\"reconnects\":\(sums.reconnects)}"
        }
        let (state, detail): (String, String) =
            switch books {
            case .balanced(let equation): ("balanced", equation)
            case .violated(let what): ("violated", what)
            case .inconclusive(let why): ("not_checked", why)
            }
        let ended = sums.ended.sorted { $0.key < $1.key }.map { "\(JSONText.string($0.key)):\($0.value)" }
        let members = [
            "\"proven\":\(isProven)", "\"seed\":\(settings.seed)", "\"interrupted\":\(isInterrupted)",
            "\"failure\":\(failure.map { JSONText.string($0).text } ?? "null")",
            "\"seconds\":\(Self.tenths(seconds))", "\"published\":\(sums.published)", "\"refused\":\(sums.refused)",
            "\"unanswered\":\(sums.unanswered)", "\"expected\":\(sums.expected)",
            "\"delivered\":\(sums.counts.delivered)", "\"percent\":\(percent)", "\"reconnects\":\(reconnects)",
            "\"restarts\":\(sums.restarts)", "\"nodes\":\(settings.nodes.count)", "\"moves\":\(sums.moves)",
            violationCounts.map { "\"\($0.name)\":\($0.count)" }.joined(separator: ","),
            "\"announced\":\(sums.counts.announced)", "\"transports\":{\(perTransport.joined(separator: ","))}",
            "\"recovery_ms\":{\"count\":\(sums.recovery.count),\"p50\":\(Self.json(sums.recovery.quantile(0.5))),"
                + "\"p99\":\(Self.json(sums.recovery.quantile(0.99)))}",
            "\"ended\":{\(ended.joined(separator: ","))}", "\"failed_connects\":\(sums.failedConnects)",
            "\"books\":{\"state\":\"\(state)\",\"detail\":\(JSONText.string(detail))}",
            "\"violations\":[\(sums.violations.map { JSONText.string($0).text }.joined(separator: ","))]",
            "\"notes\":[\(sums.notes.map { JSONText.string($0).text }.joined(separator: ","))]",
        ]
        return "{\(members.joined(separator: ","))}\n"
    }

    // MARK: Numbers

    private static func json(_ microseconds: Int?) -> String {
        microseconds.map(milliseconds) ?? "null"
    }

    private static func milliseconds(_ microseconds: Int) -> String {
        tenths(Double(microseconds) / 1_000)
    }

    private static func tenths(_ value: Double) -> String {
        "\((value * 10).rounded() / 10)"
    }
}
