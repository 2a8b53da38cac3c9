import Foundation
import Synchronization

/// The terminal without its own line editing: every key arrives at once, and nothing is echoed.
enum RawMode {
    private struct Entered {
        /// The settings to restore.
        let settings: termios
        let isFullScreen: Bool
    }

    /// Set while raw mode is on.
    private static let entered = Mutex<Entered?>(nil)
    /// The other screen of the terminal, without a cursor and with lines cut at the edge; and back.
    private static let (open, close) = ("\u{1B}[?1049h\u{1B}[?25l\u{1B}[?7l", "\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l")

    /// - Parameter fullScreen: whether what is on the terminal comes back with `leave`.
    static func enter(fullScreen: Bool = false) {
        entered.withLock { entered in
            var settings = termios()
            guard entered == nil, tcgetattr(STDIN_FILENO, &settings) == 0 else { return }
            entered = Entered(settings: settings, isFullScreen: fullScreen)
            // Signals stay enabled, so Ctrl-C is SIGINT as usual.
            settings.c_lflag &= ~tcflag_t(ICANON | ECHO)
            tcsetattr(STDIN_FILENO, TCSANOW, &settings)
            guard fullScreen else { return }
            // A stopped program would leave the other screen behind.
            signal(SIGTSTP, SIG_IGN)
            write(open)
        }
    }

    static func leave() {
        entered.withLock { left in
            guard var settings = left?.settings else { return }
            if left?.isFullScreen == true {
                write(close)
                signal(SIGTSTP, SIG_DFL)
            }
            tcsetattr(STDIN_FILENO, TCSANOW, &settings)
            left = nil
        }
    }

    /// At once, on this thread: the process may be about to exit.
    private static func write(_ text: String) {
        var text = text
        text.withUTF8 { _ = Foundation.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
    }
}
