import Foundation
import Synchronization

/// The terminal without its own line editing: every key arrives at once, and nothing is echoed.
enum RawMode {
    /// The settings to restore; set while raw mode is on.
    private static let saved = Mutex<termios?>(nil)

    static func enter() {
        saved.withLock { saved in
            var settings = termios()
            guard saved == nil, tcgetattr(STDIN_FILENO, &settings) == 0 else { return }
            saved = settings
            // Signals stay enabled, so Ctrl-C is SIGINT as usual.
            settings.c_lflag &= ~tcflag_t(ICANON | ECHO)
            tcsetattr(STDIN_FILENO, TCSANOW, &settings)
        }
    }

    static func leave() {
        saved.withLock { saved in
            guard var settings = saved else { return }
            tcsetattr(STDIN_FILENO, TCSANOW, &settings)
            saved = nil
        }
    }
}
