import ApusClient
import NIOCore
import UnixSignals

/// `apus top` on a terminal: draws the screen when figures, keys or another size of the window come.
struct TopSession: Sendable {
    private enum Event: Sendable {
        case key(TopKeys.Key)
        case tick
        /// The window has another size, or what was on it is gone.
        case resized
        case interrupted
        case figures(TopSnapshot, TopQuery)
        case failed(String)
        /// The last drawing is on the screen.
        case drawn
        /// Standard input has ended, so no key will come.
        case endOfKeys
        /// Neither a key nor figures can be shown any more.
        case broken(any Error)
    }

    /// The events that wait to be handled, which takes no time: the screen is drawn beside that. The oldest go.
    private static let waitingEvents = 256

    let source: TopSource
    let server: String
    let interval: Duration
    let count: Int?

    /// Runs until a key or a signal ends it. The terminal is restored however it ends.
    func run(_ query: TopQuery, _ interrupts: AsyncStream<Void>) async throws {
        var state = TopState()
        state.query = query
        state.query.limit = screen().topicRows
        // What cannot work at all is said on the screen that was there before.
        var snapshot = try await source.snapshot(state.query)
        let resizes = await UnixSignalsSequence(trapping: .sigwinch)
        let (events, send) = AsyncStream.makeStream(
            of: Event.self,
            bufferingPolicy: .bufferingNewest(Self.waitingEvents)
        )
        // A terminal may take nothing for a while, as after Ctrl-S. What it gets then is the last drawing.
        let (drawings, draw) = AsyncStream.makeStream(of: String.self, bufferingPolicy: .bufferingNewest(1))
        let returns = RawMode.enter(fullScreen: true)
        defer { RawMode.leave() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await Self.readKeys(send) }
            group.addTask { await Self.write(drawings, send) }
            group.addTask { for await _ in interrupts { send.yield(.interrupted) } }
            group.addTask { for await _ in resizes { send.yield(.resized) } }
            group.addTask { for await _ in returns { send.yield(.resized) } }
            group.addTask { await tick(send) }
            defer { group.cancelAll() }
            var (left, isAsking, isStale, notice) = (count.map { $0 - 1 }, false, false, String?.none)
            state.matching = snapshot.topics?.matching ?? 0
            draw.yield(drawing(snapshot, state, notice))
            if left == 0 { draw.finish() }
            for await event in events {
                var asks = false
                switch event {
                case .interrupted, .drawn: return
                case .endOfKeys: continue
                case .broken(let error): throw error
                case .tick: asks = !state.isPaused
                case .resized:
                    state.query.limit = screen().topicRows
                    asks = true
                case .key(let key):
                    switch state.press(key) {
                    case .quit: return
                    case .refresh: asks = true
                    case .redraw: break
                    case nil: continue
                    }
                case .figures(let new, let query):
                    isAsking = false
                    notice = nil
                    // While it is paused, only what was asked for by a key or another size is shown.
                    if state.isPaused { snapshot.topics = new.topics } else { snapshot = new }
                    state.matching = new.topics?.matching ?? 0
                    asks = isStale || query != state.query
                    left = left.map { $0 - 1 }
                case .failed(let message):
                    isAsking = false
                    notice = "\(message); trying again"
                }
                if asks, isAsking { isStale = true }
                if asks, !isAsking {
                    (isAsking, isStale) = (true, false)
                    ask(state.query, send, in: &group)
                }
                if case .tick = event { continue }
                draw.yield(drawing(snapshot, state, notice))
                if left == 0 { draw.finish() }
            }
        }
    }

    private func screen() -> TopScreen {
        let size = Terminal.size()
        return TopScreen(server: server, columns: size.columns, rows: size.rows)
    }

    private func drawing(_ snapshot: TopSnapshot, _ state: TopState, _ notice: String?) -> String {
        let lines = screen().lines(snapshot, state, notice: notice)
        // Each line erases what it does not cover, so that nothing flickers.
        return "\u{1B}[H" + lines.map { $0 + "\u{1B}[K" }.joined(separator: "\r\n")
    }

    private static func write(_ drawings: AsyncStream<String>, _ send: AsyncStream<Event>.Continuation) async {
        do {
            for await drawing in drawings { try await StandardOutput.write(drawing) }
            send.yield(.drawn)
        } catch is CancellationError {
            return
        } catch {
            send.yield(.broken(error))
        }
    }

    private func tick(_ send: AsyncStream<Event>.Continuation) async {
        while !Task.isCancelled {
            try? await Task.sleep(for: interval)
            send.yield(.tick)
        }
    }

    private func ask(
        _ query: TopQuery,
        _ send: AsyncStream<Event>.Continuation,
        in group: inout ThrowingTaskGroup<Void, any Error>
    ) {
        group.addTask { [source] in
            do {
                send.yield(.figures(try await source.snapshot(query), query))
            } catch {
                let message = (error as? ClientError)?.message ?? (error as? CommandFailure)?.message
                send.yield(.failed(message ?? "\(error)"))
            }
        }
    }

    private static func readKeys(_ send: AsyncStream<Event>.Continuation) async {
        var keys = TopKeys()
        do {
            while var chunk = try await StandardInput.read() {
                while let byte = chunk.readInteger(as: UInt8.self) {
                    if let key = keys.feed(byte) { send.yield(.key(key)) }
                }
                // A terminal sends the sequence of a key at once, so this was Escape.
                if let key = keys.flush() { send.yield(.key(key)) }
            }
            send.yield(.endOfKeys)
        } catch is CancellationError {
            return
        } catch {
            send.yield(.broken(error))
        }
    }
}
