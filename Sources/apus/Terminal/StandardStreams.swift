import Foundation
import NIOCore
import NIOPosix

/// Whoever read standard output is gone.
struct OutputClosed: Error {}

/// Standard output, written on a thread of its own so that a slow reader blocks no task.
enum StandardOutput {
    private static let pool = startedPool()
    private static let watcher = startedPool()

    /// Writes everything or throws `OutputClosed`.
    static func write(_ bytes: ByteBuffer) async throws {
        try await pool.cancellable {
            try bytes.withUnsafeReadableBytes { try writeAll($0, to: STDOUT_FILENO) }
        }
    }

    static func write(_ text: String) async throws {
        try await write(ByteBuffer(string: text))
    }

    /// Waits until nobody can read what is written any more, then throws `OutputClosed`; so `sub | head` ends
    /// without an event.
    static func waitUntilClosed() async throws {
        try await watcher.cancellable {
            while true {
                // Without any event asked for, a poll reports only errors and hang-ups.
                var output = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
                if poll(&output, 1, -1) > 0 { throw OutputClosed() }
            }
        }
    }
}

/// Standard error, for short lines; what cannot be written is dropped.
enum StandardError {
    static func write(_ text: String) {
        var text = text
        text.withUTF8 { try? writeAll(UnsafeRawBufferPointer($0), to: STDERR_FILENO) }
    }
}

/// Standard input, read on a thread of its own, only when it is asked for.
enum StandardInput {
    private static let pool = startedPool()
    private static let chunkBytes = 64 << 10

    /// What is there, at most 64 KiB; nil at the end.
    static func read() async throws -> ByteBuffer? {
        try await pool.cancellable {
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

/// A pool of one thread that is there until the process ends.
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
            // Somebody sharing the descriptor made it non-blocking.
            var output = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            poll(&output, 1, -1)
        } else if errno != EINTR {
            if errno == EPIPE { throw OutputClosed() }
            throw CommandFailure("cannot write the output: \(String(cString: strerror(errno)).lowercased())")
        }
    }
}

extension NIOThreadPool {
    /// Runs blocking work on the pool; when the task is cancelled it goes on there, but nobody waits for it any more.
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
