import Dispatch
import Foundation
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import ApusSockets

/// What other threads do to a loop, for the thread sanitizer to watch: without tasks, whose runtime it cannot look
/// into.
@Suite struct SocketLoopStormTests {
    private let seen = NIOLockedValueBox<[Int]>([])

    private func note(_ number: Int) {
        seen.withLockedValue { $0.append(number) }
    }

    private var noted: [Int] { seen.withLockedValue { $0 } }

    private func withLoop(_ body: (SocketLoop) throws -> Void) throws {
        let loop = try SocketLoop()
        Thread.detachNewThread { loop.run() }
        defer { #expect(throws: Never.self) { try loop.syncShutdownGracefully() } }
        try body(loop)
    }

    @Test func `many threads ask at once, and each one's order is kept`() throws {
        try withLoop { loop in
            DispatchQueue.concurrentPerform(iterations: 8) { thread in
                for number in 0..<2000 { loop.execute { note(thread * 10_000 + number) } }
            }
            try loop.submit {}.wait()
            let all = noted
            #expect(all.count == 16_000)
            for thread in 0..<8 {
                #expect(all.filter { $0 / 10_000 == thread } == (0..<2000).map { thread * 10_000 + $0 })
            }
        }
    }

    @Test func `a loop that sleeps is woken, each time`() throws {
        try withLoop { loop in
            for number in 0..<2000 {
                let answer = try loop.submit { number }.wait()
                #expect(answer == number)
            }
        }
    }

    @Test func `two loops that wake each other lose no call`() throws {
        try withLoop { first in
            try withLoop { second in
                let done = first.makePromise(of: Void.self)
                PingPong(here: first, there: second, done: done).play(5000)
                try done.futureResult.wait()
            }
        }
    }

    @Test func `timers are set and cancelled from anywhere while they are due`() throws {
        try withLoop { loop in
            DispatchQueue.concurrentPerform(iterations: 4) { _ in
                for _ in 0..<200 {
                    let timer = loop.scheduleTask(in: .microseconds(100)) { note(1) }
                    loop.scheduleTask(in: .microseconds(100)) { timer.cancel() }
                    if Bool.random() { timer.cancel() }
                }
            }
            try loop.scheduleTask(in: .milliseconds(5)) {}.futureResult.wait()
            #expect(noted.count <= 800)
        }
    }

    @Test func `loops begin and end while others ask them for something`() throws {
        for _ in 0..<50 {
            let loop = try SocketLoop()
            Thread.detachNewThread { loop.run() }
            DispatchQueue.concurrentPerform(iterations: 4) { thread in
                loop.execute { note(thread) }
                if thread == 3 { #expect(throws: Never.self) { try loop.syncShutdownGracefully() } }
            }
        }
        // What came after the end is not done.
        #expect((50...200).contains(noted.count))
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
