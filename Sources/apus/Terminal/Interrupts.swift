import Foundation
import UnixSignals

/// SIGINT and SIGTERM as a request to end in good order; a second one ends the program at once.
enum Interrupts {
    /// Takes the signals over: none is lost from the moment that it returns. One element per signal. Called once.
    static func requests() async -> AsyncStream<Void> {
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        // As long as the process lives.
        Task {
            var isRepeated = false
            for await _ in signals {
                if isRepeated {
                    RawMode.leave()
                    _exit(130)
                }
                isRepeated = true
                continuation.yield()
            }
        }
        return stream
    }
}
