import Testing

@testable import apus

@Suite("The screen of top")
struct TopTests {
    private static let json = #"""
        {"history":{"from":"2026-11-30T09:00:00Z","step_ms":1000,"series":{"publishes":[1,null,4,8]}},
        "sample":{"at":"2026-11-30T10:00:00.123Z","publishes":1500.5,"bytes_in":2048,"cpu":0.5,"memory":1048576,
        "memory_limit":2097152,"loops":[{"busy":0.25,"connections":2}],"nodes":[{"name":"a:1","ready":true,"lag":0,
        "publishes":1500},{"name":"b:1","ready":false,"lag":7}]}}
        """#

    private func snapshot() throws -> TopSnapshot {
        var snapshot = try TopSource.figures(Self.json)
        snapshot.topics = ConsoleTopics(
            total: 50,
            matching: 50,
            rows: (0..<50).map { ConsoleTopics.Row(name: "topic-\($0)", messagesPerS: 1, subscribers: 2) }
        )
        snapshot.subscribers = ConsoleSubscribers(subscribers: [
            ConsoleSubscribers.Row(topic: "topic-1", clientId: "slow", lag: .init(messages: 7, ms: 90_000))
        ])
        return snapshot
    }

    @Test(arguments: [(80, 24), (200, 60), (40, 10), (81, 11), (20, 5), (1, 1), (500, 200)])
    func `has exactly the lines of the terminal, and none is too long`(columns: Int, rows: Int) throws {
        let screen = TopScreen(server: "http://127.0.0.1:8080", columns: columns, rows: rows)
        var state = TopState()
        state.matching = 50
        for keys: [TopKeys.Key] in [[], [.text("?")], [.text("/"), .text("x")]] {
            var state = state
            for key in keys { _ = state.press(key) }
            for snapshot in [try snapshot(), TopSnapshot()] {
                let lines = screen.lines(snapshot, state, notice: "cannot reach it; trying again")
                #expect(lines.count == rows)
                #expect(lines.allSatisfy { $0.count <= columns })
            }
        }
    }

    @Test func `shows the figures, and dashes for what is not known`() throws {
        let screen = TopScreen(server: "s", columns: 80, rows: 24)
        let text = screen.lines(try snapshot(), TopState(), notice: nil).joined(separator: "\n")
        for part in [
            "1.50k", "2.00 KiB", "10:00:00", "1.00 MiB of 2.00 MiB [||||....]", "cpu 50 %", "loops 25 %",
            "slow < topic-1", "1m 30s", "▂ ▅█", "nodes 2: b:1 not ready, 7 behind  a:1 1.50k/s",
        ] {
            #expect(text.contains(part), "\(part) in \(text)")
        }
        #expect(screen.lines(TopSnapshot(), TopState(), notice: nil).joined().contains("deliveries/s          -"))
    }

    @Test func `takes keys, also those that are sequences of bytes`() {
        func keys(_ text: String) -> [TopKeys.Key] {
            var keys = TopKeys()
            return text.utf8.compactMap { keys.feed($0) } + [keys.flush()].compactMap { $0 }
        }
        #expect(keys("qé日") == [.text("q"), .text("é"), .text("日")])
        #expect(keys("\u{1B}[A\u{1B}OB\u{1B}[C\u{1B}[D") == [.up, .down, .right, .left])
        #expect(keys("\u{1B}[5~\u{1B}[6~\u{1B}[H\u{1B}[F") == [.pageUp, .pageDown, .home, .end])
        #expect(keys("\u{1B}") == [.escape])
        #expect(keys("\u{1B}\u{1B}[A") == [.escape, .up])
        #expect(keys("\u{1B}[99;99zx\r\u{7F}\u{1}") == [.text("x"), .enter, .backspace])
        #expect(keys("\u{1B}[" + String(repeating: "1", count: 100) + "q").last == .text("q"))
    }

    @Test func `changes the query by keys`() {
        var state = TopState()
        state.matching = 100
        state.query.limit = 10
        #expect(state.press(.text("s")) == .refresh && state.query.sort == .bytes)
        #expect(state.press(.left) == .refresh && state.query.sort == .rate)
        #expect(state.press(.up) == nil)
        #expect(state.press(.pageDown) == .refresh && state.query.offset == 10)
        #expect(state.press(.end) == .refresh && state.query.offset == 90)
        #expect(state.press(.down) == nil)
        for key: TopKeys.Key in [.text("/"), .text("q"), .text("x"), .backspace] {
            #expect(state.press(key) == .redraw)
        }
        #expect(state.typed == "q")
        #expect(state.press(.enter) == .refresh && state.query.search == "q" && state.query.offset == 0)
        #expect(state.query.path == "/console/topics?sort=rate&order=desc&limit=10&offset=0&search=q")
        #expect(state.press(.escape) == .refresh && state.query.search.isEmpty)
        #expect(state.press(.text("p")) == .redraw && state.isPaused)
        #expect(state.press(.text("p")) == .refresh && !state.isPaused)
        #expect(state.press(.text("?")) == .redraw && state.press(.text("s")) == .redraw && state.query.sort == .rate)
        #expect(state.press(.text("q")) == .quit)
    }

    @Test func `draws series and ages`() {
        #expect(TopText.sparkline([]) == "")
        #expect(TopText.sparkline([0, 0]) == "▁▁")
        #expect(TopText.sparkline([0, nil, 4, 8]) == "▁ ▅█")
        let ages = [0, 999, 1000, 90_000, 7_260_000, 90_000_000].map(TopText.age(milliseconds:))
        #expect(ages == ["0ms", "999ms", "1s", "1m 30s", "2h 1m", "1d 1h"])
        #expect(TopText.cell("abc", 2) == "a…" && TopText.cell("abc", 5, right: true) == "  abc")
    }
}
