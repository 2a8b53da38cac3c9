import Foundation
import Synchronization

/// The terminal without its own line editing: every key arrives at once, and nothing is echoed. The one way to it, for
/// one session at a time.
///
/// Whatever ends or stops the program gives the terminal back: `leave` at the end, ``Interrupts`` at the second signal,
/// and Ctrl-Z here. `fg` takes the terminal again, and the session then draws what it had drawn.
enum RawMode {
    private struct Session: Sendable {
        /// What the terminal is set to when it is given back.
        var settings: termios
        let isFullScreen: Bool
        var isGivenBack = false
        let returns: AsyncStream<Void>.Continuation
    }

    private static let session = Mutex<Session?>(nil)
    /// The other screen of the terminal, without a cursor and with lines cut at the edge; and back.
    private static let (open, close) = ("\u{1B}[?1049h\u{1B}[?25l\u{1B}[?7l", "\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l")
    /// How long a terminal that takes nothing holds the end up.
    private static let patience = Duration.seconds(2)

    /// - Parameter fullScreen: whether what is on the terminal comes back with `leave`.
    /// - Returns: an element when the terminal was somebody else's for a while, and must be drawn again.
    static func enter(fullScreen: Bool = false) -> AsyncStream<Void> {
        let (stream, returns) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        var settings = termios()
        guard tcgetattr(STDIN_FILENO, &settings) == 0 else { return stream }
        session.withLock { $0 = Session(settings: settings, isFullScreen: fullScreen, returns: returns) }
        StopSignals.watch { number in
            // In its turn among the writes, so that none comes while the terminal is somebody else's.
            StandardOutput.submit { if number == SIGTSTP { suspend() } else { take() } }
        }
        _ = StandardOutput.perform(within: patience, take)
        return stream
    }

    /// - Parameter abruptly: whether the session had no time to end the line that it was drawing.
    static func leave(abruptly: Bool = false) {
        guard let left = session.withLock({ $0 }) else { return }
        StopSignals.ignore()
        startOutput()
        let isDone = StandardOutput.perform(within: patience) { giveBack(abruptly: abruptly) }
        // The text for the terminal is stuck, but not its settings.
        if !isDone { set(left.settings) }
        session.withLock { $0 = nil }
        left.returns.finish()
    }

    /// Has a terminal go on that a Ctrl-S holds, as the program is about to end: nobody will press Ctrl-Q.
    static func startOutput() {
        guard session.withLock({ $0 != nil }), tcgetpgrp(STDOUT_FILENO) == getpgrp() else { return }
        // Only what was stopped like this can be started like this.
        tcflow(STDOUT_FILENO, TCOOFF)
        tcflow(STDOUT_FILENO, TCOON)
    }

    // MARK: Among the writes

    private static func take() {
        session.withLock { session in
            guard var taken = session else { return }
            // In the background this stops the program until the next `fg`.
            StopSignals.unblock(SIGTTOU)
            var settings = taken.settings
            // They may have been changed meanwhile, for good.
            if taken.isGivenBack, tcgetattr(STDIN_FILENO, &settings) == 0 { taken.settings = settings }
            // Signals stay enabled, so Ctrl-C is SIGINT as usual.
            settings.c_lflag &= ~tcflag_t(ICANON | ECHO)
            set(settings)
            if taken.isFullScreen { StandardOutput.writeNow(open) }
            taken.isGivenBack = false
            session = taken
            taken.returns.yield()
        }
    }

    private static func giveBack(abruptly: Bool) {
        session.withLock { session in
            guard let taken = session, !taken.isGivenBack else { return }
            session?.isGivenBack = true
            if taken.isFullScreen { StandardOutput.writeNow(close) } else if abruptly { StandardOutput.writeNow("\n") }
            set(taken.settings)
        }
    }

    private static func suspend() {
        guard session.withLock({ $0 != nil }) else { return }
        giveBack(abruptly: true)
        // Returns at SIGCONT; at once if nobody could ever continue the program.
        StopSignals.stop()
        take()
    }

    /// A signal may come in between; in the background one does, and stops the program.
    private static func set(_ settings: termios) {
        var settings = settings
        while tcsetattr(STDIN_FILENO, TCSANOW, &settings) != 0, errno == EINTR {}
    }

}
