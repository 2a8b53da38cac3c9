import ApusSockets
import Dispatch
import Foundation
import NIOConcurrencyHelpers
import NIOCore
import Testing

/// A loop on a thread of its own: what it is asked to do, and when.
@Suite(.timeLimit(.minutes(1))) struct SocketLoopTests {
    private let seen = NIOLockedValueBox<[Int]>([])

    private func note(_ number: Int) {
        seen.withLockedValue { $0.append(number) }
    }

    private var noted: [Int] { seen.withLockedValue { $0 } }

    @Test func `what another thread asks for is done in its order`() async throws {
        try await withLoop { loop in
            for number in 0..<10_000 { loop.execute { note(number) } }
            try await loop.submit {}.get()
            #expect(noted == Array(0..<10_000))
        }
    }

    @Test func `what the loop asks itself for is done in its order, behind what is there`() async throws {
        try await withLoop { loop in
            try await loop.submit {
                for number in 2..<1000 { loop.execute { note(number) } }
                note(0)
                note(1)
            }.get()
            try await loop.submit {}.get()
            #expect(noted == Array(0..<1000))
        }
    }

    @Test func `only the loop's thread is in the loop`() async throws {
        try await withLoop { loop in
            let isInTask = try await loop.submit { loop.inEventLoop }.get()
            let isInTimer = try await loop.scheduleTask(in: .zero) { loop.inEventLoop }.futureResult.get()
            #expect(isInTask && isInTimer && !loop.inEventLoop)
            try await withLoop { other in
                let isInOther = try await loop.submit { other.inEventLoop }.get()
                #expect(!isInOther)
            }
        }
        let loop = try SocketLoop()
        #expect(!loop.inEventLoop)
    }

    @Test func `sockets are told on the loop's thread, in between other work`() async throws {
        let wire = try Wire()
        let (near, far) = (wire.near, wire.far)
        try await withLoop { loop in
            let told = loop.makePromise(of: Bool.self)
            loop.withPoller { poller in
                let target = Recorder()
                target.whenTold = {
                    if near.receiveText() == "x" { told.succeed(loop.inEventLoop) }
                }
                #expect(throws: Never.self) { try poller.add(near, for: .readable, target: target) }
            }
            try await loop.submit {}.get()
            far.send("x")
            let isOnThread = try await told.futureResult.get()
            #expect(isOnThread)
        }
        withExtendedLifetime(wire) {}
    }

    @Test func `after the loop was held up, what has come is read before timers that are late`() async throws {
        let wire = try Wire()
        let (near, far) = (wire.near, wire.far)
        try await withLoop { loop in
            let done = loop.makePromise(of: Void.self)
            loop.withPoller { poller in
                let target = Recorder()
                target.whenTold = { if near.receiveText() == "x" { note(1) } }
                #expect(throws: Never.self) { try poller.add(near, for: .readable, target: target) }
                loop.scheduleTask(in: .milliseconds(1)) {
                    note(2)
                    done.succeed()
                }
                far.send("x")
                Thread.sleep(forTimeInterval: 0.2)
            }
            try await done.futureResult.get()
            #expect(noted == [1, 2])
        }
        withExtendedLifetime(wire) {}
    }

    @Test func `a loop with nothing to do takes no processor time`() async throws {
        let wire = try Wire()
        let near = wire.near
        try await withLoop { loop in
            // A socket that waits, a timer that is due much later and one between two of its milliseconds.
            loop.withPoller { poller in
                #expect(throws: Never.self) { try poller.add(near, for: .readable, target: Recorder()) }
            }
            let late = loop.scheduleTask(in: .hours(1)) {}
            let before = try await loop.submit { Self.processorTime }.get()
            let after = try await loop.scheduleTask(in: .microseconds(300_700)) { Self.processorTime }.futureResult
                .get()
            #expect(after - before < 0.03)
            late.cancel()
        }
        withExtendedLifetime(wire) {}
    }

    /// Seconds that this thread has run.
    private static var processorTime: Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    // MARK: The end

    @Test func `what was asked for before the end is done, and what that asks for too`() async throws {
        let loop = try SocketLoop()
        for number in 0..<100 {
            loop.execute {
                note(number)
                loop.execute { note(100 + number) }
            }
        }
        let ended = NIOLockedValueBox(false)
        loop.shutdownGracefully(queue: .global()) { error in
            #expect(error == nil)
            ended.withLockedValue { $0 = true }
        }
        #expect(!ended.withLockedValue { $0 })
        loop.run()
        #expect(noted == Array(0..<200))
        try await loop.shutdownGracefully()
        #expect(ended.withLockedValue { $0 })
        #expect(!loop.inEventLoop)
    }

    @Test func `whoever asks for the end is called back, however often and however late`() async throws {
        let loop = try SocketLoop()
        Thread.detachNewThread { loop.run() }
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<20 {
                group.addTask { await #expect(throws: Never.self) { try await loop.shutdownGracefully() } }
            }
        }
        try await loop.shutdownGracefully()
    }

    @Test func `the end may be asked for on the loop itself`() async throws {
        let loop = try SocketLoop()
        Thread.detachNewThread { loop.run() }
        await withCheckedContinuation { continuation in
            loop.execute { loop.shutdownGracefully(queue: .global()) { _ in continuation.resume() } }
        }
    }

    @Test func `loops leave no descriptors behind, whether they ran or not`() async throws {
        let before = try Self.openFiles
        for _ in 0..<200 {
            _ = try SocketLoop()
            try await withLoop { try await $0.submit {}.get() }
        }
        // Other tests open and close files meanwhile, but not so many.
        #expect(try Self.openFiles < before + 300)
    }

    private static var openFiles: Int {
        get throws { try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count }
    }
}
