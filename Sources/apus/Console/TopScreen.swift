import ApusClient

/// Draws the full screen of `apus top`: figures, loops, topics, and the subscribers that are behind.
struct TopScreen {
    /// The smallest screen that everything fits on.
    static let smallest = (columns: 40, rows: 10)

    let server: String
    let columns: Int
    let rows: Int

    /// How many topics fit.
    var topicRows: Int { max(1, rows - Self.head - 1 - subscriberRows - 1 - 1) }

    /// How many subscribers: a third of what is left for both, at most ten.
    private var subscriberRows: Int { min(10, max(2, (rows - Self.head - 3) / 3)) }

    /// The lines above the topics.
    private static let head = 7

    /// Exactly as many lines as the screen has.
    func lines(_ snapshot: TopSnapshot, _ state: TopState, notice: String?) -> [String] {
        guard columns >= Self.smallest.columns, rows >= Self.smallest.rows else {
            let text = "the terminal is too small: \(Self.smallest.columns) x \(Self.smallest.rows) at least"
            return filled([TopText.cell(text, columns)])
        }
        if state.showsHelp { return filled(help) }
        var lines = figures(snapshot, state, notice: notice)
        lines += topics(snapshot.topics, state)
        while lines.count < Self.head + 1 + topicRows { lines.append("") }
        lines += subscribers(snapshot.subscribers)
        while lines.count < rows - 1 { lines.append("") }
        lines = Array(lines.prefix(rows - 1))
        lines.append(foot(state))
        return lines
    }

    private func filled(_ lines: [String]) -> [String] {
        Array((lines + Array(repeating: "", count: rows)).prefix(rows))
    }

    // MARK: Figures

    private func figures(_ snapshot: TopSnapshot, _ state: TopState, notice: String?) -> [String] {
        let sample = snapshot.sample
        let clock = sample.at.map { String(EventPrinter.clock($0).prefix(8)) } ?? ""
        let mark = state.isPaused ? "PAUSED  " : ""
        let title = TopText.cell(
            "apus top  \(Terminal.printable(server))",
            max(10, columns - clock.count - mark.count - 1)
        )
        var lines = [Terminal.styled(TopText.cell("\(title) \(mark)\(clock)", columns), .bold)]
        lines.append(notice.map { Terminal.styled(TopText.cell(Terminal.printable($0), columns), .yellow) } ?? "")
        let half = (columns - 2) / 2
        func pair(_ left: String, _ right: String) -> String {
            TopText.cell(left, half) + "  " + TopText.cell(right, columns - half - 2)
        }
        func rate(_ label: String, _ value: String, _ series: String) -> String {
            let text = TopText.cell(label, 13) + TopText.cell(value, 10, right: true) + "  "
            let room = min(60, half - text.count)
            return room > 3 ? text + TopText.sparkline(snapshot.history?.last(room, of: series) ?? []) : text
        }
        lines.append(
            pair(
                rate("publishes/s", TopText.short(sample.publishes), "publishes"),
                rate("deliveries/s", TopText.short(sample.deliveries), "deliveries")
            )
        )
        lines.append(
            pair(
                rate("bytes in/s", TopText.bytes(sample.bytesIn), "bytes_in"),
                rate("bytes out/s", TopText.bytes(sample.bytesOut), "bytes_out")
            )
        )
        lines.append(
            pair(
                "connections \(TopText.count(sample.connections))  subscriptions \(TopText.count(sample.subscriptions))",
                "topics \(TopText.count(sample.topics))  drops/s \(TopText.short(sample.drops))"
            )
        )
        lines.append(pair(memory(sample), "cpu \(TopText.percent(sample.cpu))  \(loops(sample))"))
        lines.append(nodes(sample))
        return lines
    }

    /// The nodes of the cluster, those first that are not well: as many as there is room for.
    private func nodes(_ sample: ConsoleSample) -> String {
        guard let nodes = sample.nodes, !nodes.isEmpty else { return "" }
        let isUnwell: (ClusterNodeRow) -> Bool = { !($0.ready ?? false) || $0.lag ?? 0 > 0 }
        let texts = (nodes.filter(isUnwell) + nodes.filter { !isUnwell($0) }).map { node in
            let behind = node.lag ?? 0 > 0 ? ", \(TopText.count(node.lag)) behind" : ""
            let state = node.ready ?? false ? "\(TopText.short(node.publishes))/s" : node.state
            return "\(Terminal.printable(node.name)) \(state)\(behind)"
        }
        let line = TopText.cell("nodes \(nodes.count): " + texts.joined(separator: "  "), columns)
        return nodes.contains(where: isUnwell) ? Terminal.styled(line, .yellow) : line
    }

    private func memory(_ sample: ConsoleSample) -> String {
        let used = "memory \(TopText.bytes(sample.memory))"
        guard let memory = sample.memory, let limit = sample.memoryLimit, limit > 0 else { return used }
        return "\(used) of \(TopText.bytes(limit)) [\(TopText.bar(memory / limit, cells: 8))]"
    }

    /// How busy each event loop is.
    private func loops(_ sample: ConsoleSample) -> String {
        guard let loops = sample.loops, !loops.isEmpty else { return "" }
        return "loops " + loops.map { TopText.percent($0.busy) }.joined(separator: " ")
    }

    // MARK: Tables

    private func topics(_ topics: ConsoleTopics?, _ state: TopState) -> [String] {
        let sorted = state.query.sort
        let columns: [(name: String, width: Int, sort: TopQuery.Sort?)] = [
            ("MSG/S", 8, .rate), ("BYTES/S", 9, .bytes), ("SUBS", 6, .subscribers), ("MESSAGES", 11, .messages),
            ("KEPT", 8, nil), ("SIZE", 9, nil),
        ]
        let shown = fitting(columns.map(\.width))
        let width = self.columns - columns.prefix(shown).reduce(0) { $0 + $1.width + 1 }
        var header = TopText.cell(sorted == .name ? "TOPIC^" : "TOPIC", width)
        for column in columns.prefix(shown) {
            header +=
                " " + TopText.cell(column.sort == sorted ? column.name + "v" : column.name, column.width, right: true)
        }
        var lines = [Terminal.styled(header, .bold)]
        guard let topics else { return lines + ["(your credential shows no topics)"] }
        if topics.rows.isEmpty {
            return lines + [
                state.query.search.isEmpty ? "no topics" : "no topic has '\(state.query.search)' in its name"
            ]
        }
        for row in topics.rows.prefix(topicRows) {
            let cells = [
                TopText.short(row.messagesPerS), TopText.bytes(row.bytesPerS), row.subscribers.map(String.init) ?? "-",
                TopText.count(row.messages.map(Double.init)), TopText.count(row.history.map(Double.init)),
                TopText.bytes(row.bytes),
            ]
            var line = TopText.cell(Terminal.printable(row.name), width)
            for (cell, column) in zip(cells, columns).prefix(shown) {
                line += " " + TopText.cell(cell, column.width, right: true)
            }
            lines.append(line)
        }
        return lines
    }

    /// How many columns of numbers fit beside names of 20 characters.
    private func fitting(_ widths: [Int]) -> Int {
        var left = columns - 20
        return widths.prefix { width in
            left -= width + 1
            return left >= 0
        }.count
    }

    private func subscribers(_ subscribers: ConsoleSubscribers?) -> [String] {
        let widths = [10, 8, 10, 12]
        let shown = fitting(widths)
        let width = columns - widths.prefix(shown).reduce(0) { $0 + $1 + 1 }
        func line(_ cells: [String]) -> String {
            zip(cells.dropFirst(), widths).prefix(shown).reduce(TopText.cell(cells[0], width)) { line, cell in
                line + " " + TopText.cell(cell.0, cell.1, right: true)
            }
        }
        var lines = [Terminal.styled(line(["SUBSCRIBER < TOPIC", "LAG", "AGE", "DROPPED", "POLICY"]), .bold)]
        guard let subscribers else { return lines + ["(your credential shows no subscribers)"] }
        for row in subscribers.subscribers.prefix(subscriberRows) {
            let name = "\(row.clientId ?? row.connection.map(String.init) ?? "?") < \(row.topic)"
            let reason = row.lastDrop?.reason.map { " (\($0))" } ?? ""
            let text = line([
                Terminal.printable(name + reason), TopText.count(row.lag?.messages.map(Double.init)),
                row.lag?.ms.map { $0 > 0 ? TopText.age(milliseconds: $0) : "-" } ?? "-",
                TopText.count(row.dropped.map(Double.init)), row.policy ?? "-",
            ])
            let isSlow = (row.lag?.messages ?? 0) > 0 || (row.dropped ?? 0) > 0
            lines.append(isSlow ? Terminal.styled(text, .yellow) : text)
        }
        return lines
    }

    private func foot(_ state: TopState) -> String {
        if let typed = state.typed { return TopText.cell("filter: \(Terminal.printable(typed))_", columns) }
        var text = "q quit  s sort:\(state.query.sort.rawValue)  / filter  p pause  ? help"
        if !state.query.search.isEmpty { text += "  [\(Terminal.printable(state.query.search))]" }
        if state.matching > topicRows {
            text +=
                "  \(state.query.offset + 1)-\(min(state.matching, state.query.offset + topicRows)) of \(state.matching)"
        }
        return Terminal.styled(TopText.cell(text, columns), .dim)
    }

    private var help: [String] {
        [
            "apus top", "",
            "  q             leave",
            "  s S <- ->     sort the topics: by rate, bytes, subscribers, messages, name",
            "  /             filter the topics by a part of their names; Esc shows all again",
            "  up down j k   scroll the topics; PgUp PgDn by a page, Home End",
            "  p, space      pause, and go on",
            "  ?             this help; any key leaves it", "",
            "Rates at the top are those of the last second, of topics of the last ten or so.",
            "LAG is how many messages wait for a subscriber, AGE how old the first of them is.",
            "Yellow ones are behind, or have lost messages.",
        ].map { TopText.cell($0, columns).trimmedEnd }
    }
}
