import DequeModule
import NIOCore

/// How much costly input a loop processes before it looks at its other sockets again.
///
/// A read of 64 KiB may decompress to a thousand times as much, or hold hundreds of commands that each search or change
/// the tables of subscriptions. When the budget is spent, connections with compression process no further frame, and
/// others no such command. They go on in the order in which they stopped, after the loop has looked at its sockets.
/// Plain publishes and pings neither spend it nor wait for it.
struct RoundBudget {
    /// In bytes of decompressed messages. The message that exceeds it is still processed.
    static let limit = 512 << 10
    /// What a command takes that is no publish and no ping: about the time of so many bytes decompressed.
    static let commandCost = 8 << 10
    /// What it takes besides to place a pattern, or a subscription that waits for its topic.
    static let patternCost = 24 << 10

    private var left = limit
    fileprivate var waiting = Deque<WebSocketConnection>()
    fileprivate var isScheduled = false

    mutating func beginRound() {
        left = Self.limit
    }

    mutating func spend(_ bytes: Int) {
        left -= bytes
    }

    var isSpent: Bool { left <= 0 }
}

extension LoopContext {
    /// Has a connection go on with its input after the loop has looked at its sockets.
    func readLater(_ connection: WebSocketConnection) {
        roundBudget.waiting.append(connection)
        scheduleReading()
    }

    private func scheduleReading() {
        guard !roundBudget.isScheduled else { return }
        roundBudget.isScheduled = true
        eventLoop.assumeIsolated().execute { [weak self] in self?.goOnReading() }
    }

    private func goOnReading() {
        roundBudget.isScheduled = false
        roundBudget.beginRound()
        // Those that stop again wait behind the others.
        for _ in 0..<roundBudget.waiting.count where !roundBudget.isSpent {
            roundBudget.waiting.popFirst()?.continueAfterRound()
        }
        if !roundBudget.waiting.isEmpty { scheduleReading() }
    }
}
