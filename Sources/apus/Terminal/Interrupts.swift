import Dispatch
import Foundation
import Synchronization

/// SIGINT and SIGTERM as requests for an orderly end. A second signal ends the program at once.
enum Interrupts {
    private static let count = Atomic(0)
    /// Kept for the lifetime of the process, because a released source delivers nothing.
    private static let sources = Mutex<[any DispatchSourceSignal]>([])

    /// Takes over the signals. After this returns, no signal is lost. The stream has one element per signal.
    static func requests() async -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        // Dispatch registers a source some time after the request. A signal before that would be lost.
        let registered = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .unbounded)
        sources.withLock { sources in
            for number in [SIGINT, SIGTERM] {
                signal(number, SIG_IGN)
                let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
                source.setEventHandler {
                    if count.wrappingAdd(1, ordering: .relaxed).newValue > 1 {
                        RawMode.leave()
                        _exit(130)
                    }
                    continuation.yield()
                }
                source.setRegistrationHandler { registered.continuation.yield() }
                source.resume()
                sources.append(source)
            }
        }
        for await _ in registered.stream.prefix(2) {}
        return stream
    }
}
