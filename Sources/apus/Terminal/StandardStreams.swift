import Foundation
import NIOCore
import NIOPosix

/// The reader of standard output has closed it.
struct OutputClosed: Error {}

/// Standard output. A separate thread writes it, so that a slow reader blocks no task.
enum StandardOutput {
    private static let pool = startedPool()
    private static let watcher = startedPool()

    /// Writes everything, or throws `OutputClosed`.
    static func write(_ bytes: ByteBuffer) async throws {
        try await pool.cancellable {
            try bytes.withUnsafeReadableBytes { try writeAll($0, to: STDOUT_FILENO) }
        }
    }

    static func write(_ text: String) async throws {
        try await write(ByteBuffer(string: text))
    }

    /// Has work done in its turn among the writes.
    static func submit(_ work: @escaping @Sendable () -> Void) {
        pool.submit { _ in work() }
    }

    /// The same, waiting for it. Returns whether it was done in that time; otherwise it may be done later.
    static func perform(within patience: Duration, _ work: @escaping @Sendable () -> Void) -> Bool {
        let done = DispatchSemaphore(value: 0)
        submit {
            work()
            done.signal()
        }
        return done.wait(timeout: .now() + patience / .seconds(1)) == .success
    }

    /// Writes on this thread, which is that of `submit`. What cannot be written is dropped.
    static func writeNow(_ text: String) {
        var text = text
        text.withUTF8 { try? writeAll(UnsafeRawBufferPointer($0), to: STDOUT_FILENO) }
    }

    /// Waits until the reader closes standard output, then throws `OutputClosed`. So `sub | head` ends even without an
    /// event.
    static func waitUntilClosed() async throws {
        try await watcher.cancellable {
            while true {
                // A poll that asks for no events reports only errors and hang-ups.
                var output = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
                if poll(&output, 1, -1) > 0 { throw OutputClosed() }
            }
        }
    }
}

/// Standard error, for short lines. Text that cannot be written is dropped.
enum StandardError {
    static func write(_ text: String) {
        var text = text
        text.withUTF8 { try? writeAll(UnsafeRawBufferPointer($0), to: STDERR_FILENO) }
    }
}

/// Standard input. A separate thread reads it, and only on request.
enum StandardInput {
    private static let pool = startedPool()
    private static let chunkBytes = 64 << 10

    /// The available input, at most 64 KiB; `nil` at the end.
    static func read() async throws -> ByteBuffer? {
        try await pool.cancellable {
            // In the background of a terminal, the program waits for the next `fg`. Without the signal the input would
            // seem to be at its end.
            StopSignals.unblock(SIGTTIN)
            var buffer = ByteBufferAllocator().buffer(capacity: chunkBytes)
            let count = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: chunkBytes) { bytes in
                while true {
                    let count = Foundation.read(STDIN_FILENO, bytes.baseAddress, chunkBytes)
                    if count >= 0 || errno != EINTR { return max(count, 0) }
                }
            }
            return count > 0 ? buffer : nil
        }
    }
}

/// Starts a pool of one thread, which exists until the process ends.
private func startedPool() -> NIOThreadPool {
    let pool = NIOThreadPool(numberOfThreads: 1)
    pool.start()
    return pool
}

private func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
        let count = UnsafeRawBufferPointer(rebasing: rest).withMemoryRebound(to: UInt8.self) {
            write(descriptor, $0.baseAddress, $0.count)
        }
        if count >= 0 {
            rest = rest.dropFirst(count)
        } else if errno == EAGAIN {
            // Another process that shares the descriptor made it non-blocking.
            var output = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            poll(&output, 1, -1)
        } else if errno != EINTR {
            if errno == EPIPE { throw OutputClosed() }
            throw CommandFailure("cannot write the output: \(String(cString: strerror(errno)).lowercased())")
        }
    }
}

extension NIOThreadPool {
    /// Runs blocking work on the pool. After cancellation the work continues there, but the caller no longer waits for
    /// it.
    fileprivate func cancellable<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value
    {
        let promise = MultiThreadedEventLoopGroup.singleton.any().makePromise(of: Value.self)
        submit { _ in promise.completeWith(Result(catching: work)) }
        return try await withTaskCancellationHandler {
            try await promise.futureResult.get()
        } onCancel: {
            promise.fail(CancellationError())
        }
    }
}
