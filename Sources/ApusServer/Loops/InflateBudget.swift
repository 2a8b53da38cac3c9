import DequeModule
import NIOCore

/// How much a loop decompresses before it looks at its other sockets again.
///
/// A read of 64 KiB may decompress to a thousand times as much. When the budget is spent, connections with compression
/// process no further frame. They go on in the order in which they stopped, after the loop has looked at its sockets.
struct InflateBudget {
    /// In bytes of decompressed messages. The message that exceeds it is still decompressed.
    static let limit = 512 << 10

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
    func inflateLater(_ connection: WebSocketConnection) {
        inflateBudget.waiting.append(connection)
        scheduleInflation()
    }

    private func scheduleInflation() {
        guard !inflateBudget.isScheduled else { return }
        inflateBudget.isScheduled = true
        eventLoop.assumeIsolated().execute { [weak self] in self?.goOnInflating() }
    }

    private func goOnInflating() {
        inflateBudget.isScheduled = false
        inflateBudget.beginRound()
        // Those that stop again wait behind the others.
        for _ in 0..<inflateBudget.waiting.count where !inflateBudget.isSpent {
            inflateBudget.waiting.popFirst()?.continueAfterRound()
        }
        if !inflateBudget.waiting.isEmpty { scheduleInflation() }
    }
}
