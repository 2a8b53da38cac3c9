import ApusSockets
import Dispatch
import Foundation
import NIOConcurrencyHelpers
import NIOCore
import Testing

@Suite(.timeLimit(.minutes(1))) struct SocketLoopTimerTests {
    private let seen = NIOLockedValueBox<[Int]>([])

    private func note(_ number: Int) {
        seen.withLockedValue { $0.append(number) }
    }

    private var noted: [Int] { seen.withLockedValue { $0 } }

    @Test func `timers run in the order of their deadlines, and not before them`() async throws {
        try await withLoop { loop in
            // Set in one turn, so that none is due before all are there.
            let timers = try await loop.submit {
                let start = NIODeadline.now() + .milliseconds(2)
                return [7, 3, 9, 0, 5, 1, 8, 2, 6, 4].map { number in
                    loop.scheduleTask(deadline: start + .milliseconds(Int64(number))) {
                        note(number)
                        return NIODeadline.now() >= start + .milliseconds(Int64(number))
                    }
                }
            }.get()
            for timer in timers {
                let isDue = try await timer.futureResult.get()
                #expect(isDue)
            }
            #expect(noted == Array(0..<10))
        }
    }

    @Test func `timers of one deadline run in the order in which they were set`() async throws {
        try await withLoop { loop in
            let deadline = NIODeadline.now() + .milliseconds(5)
            for number in 0..<100 { loop.scheduleTask(deadline: deadline) { note(number) } }
            let last = loop.scheduleTask(deadline: deadline) {}
            try await last.futureResult.get()
            #expect(noted == Array(0..<100))
        }
    }

    @Test func `a deadline that has passed is due at once`() async throws {
        try await withLoop { loop in
            let later = loop.scheduleTask(in: .hours(1)) {}
            try await loop.scheduleTask(deadline: .uptimeNanoseconds(0)) { note(1) }.futureResult.get()
            try await loop.scheduleTask(in: .seconds(-5)) { note(2) }.futureResult.get()
            #expect(noted == [1, 2])
            later.cancel()
        }
    }

    @Test func `a timer that fails fails its future`() async throws {
        struct Failure: Error {}
        try await withLoop { loop in
            let timer = loop.scheduleTask(in: .zero) { throw Failure() }
            await #expect(throws: Failure.self) { try await timer.futureResult.get() }
        }
    }

    @Test func `a deadline before the one that is waited for is kept`() async throws {
        try await withLoop { loop in
            var waitedFor = [loop.scheduleTask(deadline: .distantFuture) {}, loop.scheduleTask(in: .hours(1)) {}]
            for _ in 0..<50 {
                // The loop sleeps for the other timer, or is about to.
                try await loop.submit {}.get()
                try await loop.scheduleTask(in: .milliseconds(1)) { note(1) }.futureResult.get()
                waitedFor.append(loop.scheduleTask(in: .hours(2)) {})
            }
            #expect(noted.count == 50)
            for timer in waitedFor { timer.cancel() }
        }
    }

    @Test func `a timer set on the loop's own thread runs`() async throws {
        try await withLoop { loop in
            let done = loop.makePromise(of: Void.self)
            loop.execute { loop.assumeIsolated().scheduleTask(in: .milliseconds(1)) { done.succeed() } }
            try await done.futureResult.get()
        }
    }

    @Test func `a repeated timer goes on until it is cancelled`() async throws {
        try await withLoop { loop in
            let done = loop.makePromise(of: Void.self)
            loop.scheduleRepeatedTask(initialDelay: .milliseconds(1), delay: .milliseconds(1)) { task in
                note(1)
                guard noted.count == 10 else { return }
                task.cancel()
                done.succeed()
            }
            try await done.futureResult.get()
            try await loop.scheduleTask(in: .milliseconds(20)) {}.futureResult.get()
            #expect(noted.count == 10)
        }
    }

    // MARK: Cancelling

    @Test func `a cancelled timer does not run, and its future says so`() async throws {
        try await withLoop { loop in
            let timers = try await loop.submit {
                let deadline = NIODeadline.now() + .milliseconds(1)
                let timers = (0..<100).map { number in loop.scheduleTask(deadline: deadline) { note(number) } }
                for (number, timer) in timers.enumerated() where number % 3 != 0 { timer.cancel() }
                return timers
            }.get()
            try await timers[99].futureResult.get()
            #expect(noted == Array(stride(from: 0, to: 100, by: 3)))
            await #expect(throws: EventLoopError.self) { try await timers[1].futureResult.get() }
            try await timers[3].futureResult.get()
        }
    }

    @Test func `to cancel a timer that has run, or twice, does nothing to others`() async throws {
        try await withLoop { loop in
            let first = loop.scheduleTask(in: .zero) { note(1) }
            try await first.futureResult.get()
            let second = try await loop.submit {
                let second = loop.scheduleTask(in: .milliseconds(1)) { note(2) }
                let third = loop.scheduleTask(in: .milliseconds(1)) { note(3) }
                first.cancel()
                third.cancel()
                third.cancel()
                return second
            }.get()
            try await second.futureResult.get()
            try await loop.scheduleTask(in: .milliseconds(2)) {}.futureResult.get()
            #expect(noted == [1, 2])
        }
    }

    @Test func `a timer lets go of what it holds when it has run or is cancelled`() async throws {
        try await withLoop { loop in
            let (ran, cancelled) = (Holder(), Holder())
            do {
                let timer = loop.scheduleTask(in: .zero) { [held = ran.take()] in _ = held }
                try await timer.futureResult.get()
                loop.scheduleTask(in: .hours(1)) { [held = cancelled.take()] in _ = held }.cancel()
            }
            // Two turns later the list of what was done is another's.
            for _ in 0..<2 { try await loop.submit {}.get() }
            #expect(ran.isReleased)
            #expect(cancelled.isReleased)
        }
    }

    @Test func `what a cancelled timer held may ask the loop for something as it goes`() async throws {
        try await withLoop { loop in
            let done = loop.makePromise(of: Void.self)
            loop.scheduleTask(in: .hours(1)) { [last = AtTheEnd { loop.execute { done.succeed() } }] in _ = last }
                .cancel()
            try await done.futureResult.get()
        }
    }
}

/// Gives an object away, and knows whether anybody still has it.
private final class Holder: Sendable {
    private final class Held: Sendable {}
    private let held: NIOLockedValueBox<(strong: Held?, weak: WeakBox)>

    private struct WeakBox {
        weak var value: Held?
    }

    init() {
        let object = Held()
        held = NIOLockedValueBox((object, WeakBox(value: object)))
    }

    func take() -> (any Sendable)? {
        held.withLockedValue { $0.strong.take() }
    }

    var isReleased: Bool { held.withLockedValue { $0.strong == nil && $0.weak.value == nil } }
}

/// Does something when nobody has it any more.
private final class AtTheEnd: Sendable {
    private let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) {
        self.body = body
    }

    deinit { body() }
}
