import Dispatch
import Foundation
import Synchronization

/// SIGINT and SIGTERM as a request to end in good order; a second one ends the program at once.
enum Interrupts {
    private static let count = Atomic(0)

    /// Takes the signals over from here on. One element per signal.
    static func requests() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let queue = DispatchQueue(label: "apus.interrupts")
        let sources = [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            return DispatchSource.makeSignalSource(signal: number, queue: queue)
        }
        for source in sources {
            source.setEventHandler {
                if count.wrappingAdd(1, ordering: .relaxed).newValue > 1 {
                    RawMode.leave()
                    _exit(130)
                }
                continuation.yield()
            }
            source.resume()
        }
        continuation.onTermination = { _ in
            for source in sources { source.setEventHandler {} }
        }
        return stream
    }
}
