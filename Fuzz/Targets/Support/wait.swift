import Dispatch
import NIOConcurrencyHelpers

/// Waits for work that needs a task, on a thread that runs none.
func wait<Value: Sendable>(for work: @escaping @Sendable () async throws -> Value) throws -> Value {
    let done = DispatchSemaphore(value: 0)
    let result = NIOLockedValueBox<Result<Value, any Error>?>(nil)
    Task.detached {
        let value: Result<Value, any Error>
        do { value = .success(try await work()) } catch { value = .failure(error) }
        result.withLockedValue { $0 = value }
        done.signal()
    }
    done.wait()
    guard let value = result.withLockedValue({ $0 }) else { throw Broken(invariant: "work that is done has a result") }
    return try value.get()
}
