import ApusSockets
import NIOCore
import NIOPosix
import Synchronization

/// The event loops of the WebSockets and event streams. Each has its own thread.
final class SocketLoops: Sendable {
    let all: [SocketLoop]
    private let threads: NIOThreadPool
    private let dispatched = Atomic(0)

    /// Starts `count` loops.
    init(count: Int) throws(SocketError) {
        var loops: [SocketLoop] = []
        for _ in 0..<count { loops.append(try SocketLoop()) }
        all = loops
        threads = NIOThreadPool(numberOfThreads: count)
        threads.start()
        for loop in loops { threads.submit { _ in loop.run() } }
    }

    /// The next loop, in turn.
    func next() -> SocketLoop {
        let turn = dispatched.add(1, ordering: .relaxed).oldValue
        return all[turn % all.count]
    }

    /// Stops the loops. Nothing may use them any more.
    func shutdown() async throws {
        for loop in all { try await loop.shutdownGracefully() }
        try await threads.shutdownGracefully()
    }
}
