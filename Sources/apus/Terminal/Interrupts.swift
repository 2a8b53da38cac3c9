import Dispatch
import Foundation
import Synchronization

/// SIGINT and SIGTERM as a request to end in good order; a second one ends the program at once.
enum Interrupts {
    private static let count = Atomic(0)
    /// Kept for as long as the process lives: a source that goes away delivers nothing.
    private static let sources = Mutex<[any DispatchSourceSignal]>([])

    /// Takes the signals over; when it returns, none is lost any more. One element per signal.
    static func requests() async -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        // Dispatch registers a source some time after it was told to; a signal until then would be thrown away.
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
