import ApusLoad

/// A run as one HTML file: a summary, the plots, and all numbers. It loads nothing and has no scripts.
struct HTMLReport {
    let result: LoadResult

    var text: String {
        let table = BenchTable(result: result)
        let isGood = result.violations.isEmpty
        return """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>apus bench: \(HTML.escaped(result.server))</title>
            <style>
            \(Self.style)
            </style>
            </head>
            <body>
            <main>
            <h1>apus bench</h1>
            <p class="load">\(HTML.escaped(result.server)): \(HTML.escaped(table.loadText))</p>
            <p class="verdict \(isGood ? "good" : "bad")">\(HTML.escaped(table.verdict))</p>
            \(tiles)
            \(plots.map(\.html).joined())
            <h2>Figures</h2>
            <table>
            \(rows(table))</table>
            </main>
            </body>
            </html>

            """
    }

    /// The most important numbers.
    private var tiles: String {
        var tiles: [(String, String)] = []
        if result.options.publishers > 0 {
            tiles.append(("deliveries a second", Figures.short(result.deliveries.perSecond)))
            tiles.append(("publishes a second", Figures.short(result.publishes.perSecond)))
        } else {
            tiles.append(("connections", Figures.grouped(result.connections.count)))
            tiles.append(("connects a second", Figures.short(result.connections.perSecond)))
        }
        if let latency = result.latency {
            tiles.append(("median latency", Figures.time(us: latency.p50)))
            tiles.append(("99 % are faster than", Figures.time(us: latency.p99)))
        }
        if let cpu = result.serverUsage?.cpuMicrosecondsPerDelivery {
            tiles.append(("server CPU per delivery", Figures.time(us: cpu)))
        } else if let bytes = result.connections.residentBytesEach {
            tiles.append(("memory per connection", Figures.bytes(bytes)))
        }
        let items = tiles.map { "<li><b>\(HTML.escaped($1))</b> \(HTML.escaped($0))</li>" }
        return "<ul class=\"tiles\">\(items.joined())</ul>"
    }

    private func rows(_ table: BenchTable) -> String {
        table.rows.map { name, text in
            "<tr><th>\(HTML.escaped(name))</th><td>\(HTML.escaped(text))</td></tr>\n"
        }.joined()
    }

    // MARK: Plots

    private var plots: [LinePlot] {
        [throughput, latency, processor, memory].compactMap { $0 }
    }

    private var seconds: PlotAxis {
        .linear(result.timeline.map(\.seconds), text: { "\(Figures.plain($0)) s" })
    }

    private var throughput: LinePlot? {
        guard result.options.publishers > 0, result.timeline.count > 1 else { return nil }
        let deliveries = result.timeline.map { (x: $0.seconds, y: $0.deliveriesPerSecond) }
        let publishes = result.timeline.map { (x: $0.seconds, y: $0.publishesPerSecond) }
        return LinePlot(
            title: "Throughput",
            xLabel: "time, warm-up included",
            yLabel: "a second",
            x: seconds,
            y: .linear(deliveries.map(\.y) + publishes.map(\.y), text: Figures.short),
            series: [.init(name: "deliveries", points: deliveries), .init(name: "publishes", points: publishes)]
        )
    }

    private var latency: LinePlot? {
        guard let latency = result.latency, latency.curve.count > 1 else { return nil }
        var series = [LinePlot.Series(name: "delivery", points: points(latency))]
        if let acks = result.ackLatency, acks.curve.count > 1 {
            series.append(LinePlot.Series(name: "ack", points: points(acks)))
        }
        return LinePlot(
            title: "Latency by percentile",
            xLabel: "share of the messages that were faster",
            yLabel: result.options.rate == nil ? "from the send" : "from the time that the message was due",
            x: .percentiles(latency.curve.map(\.percentile).filter { $0 < 100 }),
            y: .logarithmic(series.flatMap { $0.points.map(\.y) }, text: Figures.time(us:)),
            series: series
        )
    }

    private func points(_ latency: LoadResult.Latency) -> [(x: Double, y: Double)] {
        // 100 % would be at infinity.
        latency.curve.filter { $0.percentile < 100 }.map { (x: PlotAxis.nines($0.percentile), y: max($0.us, 0.001)) }
    }

    private var processor: LinePlot? {
        let points = result.timeline.compactMap { moment in moment.serverCpuPercent.map { (x: moment.seconds, y: $0) } }
        guard points.count > 1 else { return nil }
        return LinePlot(
            title: "Server's processor time",
            xLabel: "time, warm-up included",
            yLabel: "per cent of one core",
            x: seconds,
            y: .linear(points.map(\.y), text: { "\(Figures.plain($0)) %" }),
            series: [.init(name: "processor time", points: points)]
        )
    }

    private var memory: LinePlot? {
        let points = result.timeline.compactMap { moment in
            moment.serverResidentBytes.map { (x: moment.seconds, y: Double($0) / 1_048_576) }
        }
        guard points.count > 1 else { return nil }
        return LinePlot(
            title: "Server's memory",
            xLabel: "time, warm-up included",
            yLabel: "MiB resident",
            x: seconds,
            y: .linear(points.map(\.y), text: Figures.plain),
            series: [.init(name: "resident memory", points: points)]
        )
    }
}
