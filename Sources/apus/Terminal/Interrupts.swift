import Foundation
import UnixSignals

/// SIGINT and SIGTERM as a request to end in good order; a second one ends the program at once.
enum Interrupts {
    /// Takes the signals over: none is lost from the moment that it returns. One element per signal. Called once.
    ///
    /// - Parameter ofTerminal: whether the command changes the terminal. Then SIGQUIT and SIGHUP, too, have to wait
    ///   until it is as it was.
    static func requests(ofTerminal: Bool = false) async -> AsyncStream<Void> {
        var numbers: [UnixSignal] = [.sigint, .sigterm]
        if ofTerminal { numbers += ServerSignals.isHangupIgnored ? [.sigquit] : [.sigquit, .sighup] }
        let signals = await UnixSignalsSequence(trapping: numbers)
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        // As long as the process lives.
        Task {
            var isRepeated = false
            for await _ in signals {
                if isRepeated {
                    RawMode.leave(abruptly: true)
                    _exit(130)
                }
                isRepeated = true
                RawMode.startOutput()
                continuation.yield()
            }
        }
        return stream
    }
}
