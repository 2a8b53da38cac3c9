import ApusSockets
import NIOConcurrencyHelpers
import NIOCore
import Testing

/// What other threads do to a loop, for the thread sanitizer to watch.
@Suite(.timeLimit(.minutes(1))) struct SocketLoopThreadSanitizerTests {
    private let seen = NIOLockedValueBox<[Int]>([])

    private func note(_ number: Int) {
        seen.withLockedValue { $0.append(number) }
    }

    private var noted: [Int] { seen.withLockedValue { $0 } }

    @Test func `many threads ask at once, and each one's order is kept`() async throws {
        try await withLoop { loop in
            await withTaskGroup(of: Void.self) { group in
                for thread in 0..<8 {
                    group.addTask {
                        for number in 0..<2000 { loop.execute { note(thread * 10_000 + number) } }
                    }
                }
            }
            try await loop.submit {}.get()
            let all = noted
            #expect(all.count == 16_000)
            for thread in 0..<8 {
                #expect(all.filter { $0 / 10_000 == thread } == (0..<2000).map { thread * 10_000 + $0 })
            }
        }
    }

    @Test func `a loop that sleeps is woken, each time`() async throws {
        try await withLoop { loop in
            for number in 0..<2000 {
                let answer = try await loop.submit { number }.get()
                #expect(answer == number)
            }
        }
    }

    @Test func `two loops that wake each other lose no call`() async throws {
        try await withLoop { first in
            try await withLoop { second in
                let done = first.makePromise(of: Void.self)
                PingPong(here: first, there: second, done: done).play(5000)
                try await done.futureResult.get()
            }
        }
    }

    @Test func `a timer may be cancelled from anywhere while it is due`() async throws {
        try await withLoop { loop in
            for _ in 0..<500 {
                let timer = loop.scheduleTask(in: .microseconds(100)) { note(1) }
                loop.scheduleTask(in: .microseconds(100)) { timer.cancel() }
                timer.cancel()
            }
            try await loop.scheduleTask(in: .milliseconds(5)) {}.futureResult.get()
        }
    }
}

/// A ball between two loops, each of which sleeps while the other has it.
private struct PingPong: Sendable {
    let here: SocketLoop
    let there: SocketLoop
    let done: EventLoopPromise<Void>

    func play(_ times: Int) {
        guard times > 0 else { return done.succeed() }
        there.execute { PingPong(here: there, there: here, done: done).play(times - 1) }
    }
}
