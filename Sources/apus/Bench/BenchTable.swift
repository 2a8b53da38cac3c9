import ApusClient
import ApusLoad
import ApusProtocol

/// The result for people: one line per value, with its name on the left.
struct BenchTable {
    let result: LoadResult

    /// A name and its text.
    typealias Row = (name: String, text: String)

    var text: String {
        let width = rows.map(\.name.count).max() ?? 0
        return rows.map { name, text in
            name + String(repeating: " ", count: width - name.count + 2) + text + "\n"
        }.joined()
    }

    var rows: [Row] {
        var rows: [Row] = [("load", loadText), ("connections", connectionsText)]
        if result.options.publishers > 0 {
            rows += [("publishes", publishesText), ("deliveries", deliveriesText), ("checks", checksText)]
        }
        if let stalled = result.stalled { rows.append(("slow readers", text(stalled))) }
        if let latency = result.latency { rows.append(("latency", text(latency))) }
        if let latency = result.ackLatency { rows.append(("ack latency", text(latency))) }
        if let server = result.serverUsage {
            rows += [("server CPU", cpuText(server)), ("server memory", memoryText(server))]
        } else {
            rows.append(("server", "not on this machine, or not to be seen from here"))
        }
        if let loops = result.serverLoops { rows.append(("server loops", text(loops))) }
        rows.append(("generator", generatorText))
        for text in result.errorTexts { rows.append(("", Terminal.printable(text))) }
        rows.append(("verdict", verdict))
        return rows
    }

    /// A description of the load, in one line.
    var loadText: String {
        let options = result.options
        var parts = [counted(options.subscribers, "subscriber"), counted(options.topics, "topic")]
        if options.publishers > 0 { parts.append(counted(options.publishers, "publisher")) }
        if let window = options.window { parts.append("window \(window)") }
        if let rate = options.rate { parts.append("\(Figures.digits(rate)) messages/s") }
        if options.publishers > 0 { parts.append("\(Figures.grouped(options.payloadBytes)) B of payload") }
        if options.credit == .delivery { parts.append("credit by delivery") }
        return parts.joined(separator: ", ") + ", \(Figures.digits(result.measuredSeconds)) s"
    }

    private var connectionsText: String {
        let connections = result.connections
        var text = "\(Figures.grouped(connections.count)) in \(Figures.digits(connections.seconds)) s, "
        text += "\(Figures.grouped(connections.perSecond)) a second"
        if let bytes = connections.residentBytesEach {
            text += "; \(Figures.grouped(bytes)) B of the server's memory each"
        }
        if let cpu = connections.cpuMicrosecondsEach { text += ", \(Figures.digits(cpu)) µs of CPU each" }
        return text
    }

    private var publishesText: String {
        let publishes = result.publishes
        return "\(Figures.grouped(publishes.perSecond)) a second, \(Figures.grouped(publishes.total)) in all, "
            + "\(Figures.grouped(publishes.acked)) acked"
    }

    private var deliveriesText: String {
        let deliveries = result.deliveries
        return "\(Figures.grouped(deliveries.perSecond)) a second, \(Figures.grouped(deliveries.received)) of "
            + "\(Figures.grouped(deliveries.expected)) in all"
    }

    private var checksText: String {
        let deliveries = result.deliveries
        var text = "lost \(Figures.grouped(deliveries.lost))"
        if deliveries.lost > 0 { text += " (announced \(Figures.grouped(deliveries.announced)))" }
        text += ", doubled \(Figures.grouped(deliveries.doubled))"
        return text + ", out of order \(Figures.grouped(deliveries.outOfOrder))"
    }

    private func text(_ stalled: LoadResult.Stalled) -> String {
        "\(stalled.subscribers) stalled, \(stalled.closed) cut off; the others got "
            + "\(Figures.grouped(stalled.received)) when they read again, "
            + "\(Figures.grouped(stalled.announced)) announced as dropped, "
            + "\(Figures.grouped(stalled.unannounced)) missing without"
    }

    private func text(_ latency: LoadResult.Latency) -> String {
        let values = [latency.p50, latency.p90, latency.p99, latency.p999, latency.max]
        return zip(["p50", "p90", "p99", "p99.9", "max"], values).map { name, value in
            "\(name) \(Figures.time(us: value))"
        }.joined(separator: ", ")
    }

    private func cpuText(_ server: LoadResult.Server) -> String {
        var parts: [String] = []
        if let cpu = server.cpuMicrosecondsPerDelivery { parts.append("\(Figures.digits(cpu)) µs per delivery") }
        if let cpu = server.cpuMicrosecondsPerPublish { parts.append("\(Figures.digits(cpu)) µs per publish") }
        parts.append("\(Figures.digits(server.cpuPercent)) % of a core")
        parts.append("busiest thread \(Figures.digits(server.busiestThreadPercent)) %")
        if server.waitPercent >= 10 {
            parts.append("waited for a core \(Figures.digits(server.waitPercent)) % of the time")
        }
        return parts.joined(separator: ", ")
    }

    private func memoryText(_ server: LoadResult.Server) -> String {
        let connected = Figures.bytes(Double(server.residentBytesConnected))
        return "\(Figures.bytes(Double(server.residentBytesAtStart))) before, \(connected) connected, "
            + "\(Figures.bytes(Double(server.residentBytesPeak))) at most, "
            + "grown by \(Figures.bytes(Double(server.growthBytes))) while publishing"
    }

    private func text(_ loops: LoadResult.Loops) -> String {
        var text = "\(counted(loops.count, "loop")), late by \(Figures.time(us: loops.meanLag)) on average"
        if let p99 = loops.p99LagAtMost { text += ", by at most \(Figures.time(us: p99)) at p99" }
        return text + "; \(Figures.grouped(loops.heldPublishes)) publishes held for a loop that was behind"
    }

    private var generatorText: String {
        let generator = result.generator
        var text = "\(Figures.digits(generator.cpuPercent)) % of a core"
        if generator.isSpinning { text += " (spinning, \(Figures.digits(generator.busyPercent)) % of it at work)" }
        if let lateness = generator.lateness { text += ", messages out \(Figures.time(us: lateness.p99)) late at p99" }
        if generator.isBottleneck {
            text += "; it was the bottleneck, the server could do more: give it --threads, or a machine of its own"
        }
        return text
    }

    /// The last line: whether the run passed.
    var verdict: String {
        let end = result.isInterrupted ? ", interrupted" : ""
        if !result.violations.isEmpty { return "FAILED: \(result.violations.joined(separator: ", "))\(end)" }
        if result.options.publishers == 0 { return "every connection is open\(end)" }
        let drops = result.deliveries.lost > 0 ? " but what was announced" : ""
        return "nothing lost\(drops), nothing doubled, nothing out of order\(end)"
    }
}
