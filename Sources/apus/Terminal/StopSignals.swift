import Foundation

/// SIGTSTP, which Ctrl-Z sends, and SIGCONT, told of on a thread of their own.
enum StopSignals {
    private static let ends: (read: Int32, write: Int32)? = {
        var ends: [Int32] = [0, 0]
        return pipe(&ends) == 0 ? (ends[0], ends[1]) : nil
    }()

    /// Has each of them tell the handler instead of stopping the program. Called once.
    static func watch(_ handler: @escaping @Sendable (Int32) -> Void) {
        guard let ends else { return }
        Thread.detachNewThread {
            // Other threads may have all signals blocked.
            unblock(SIGTSTP)
            unblock(SIGCONT)
            take()
            var number: UInt8 = 0
            while read(ends.read, &number, 1) == 1 || errno == EINTR { handler(Int32(number)) }
        }
    }

    /// Has them do nothing from now on, as the program is about to end.
    static func ignore() {
        for number in [SIGTSTP, SIGCONT] { signal(number, SIG_IGN) }
    }

    /// Stops the program like one that knows nothing of SIGTSTP. Returns when it goes on.
    static func stop() {
        signal(SIGTSTP, SIG_DFL)
        unblock(SIGTSTP)
        raise(SIGTSTP)
        take()
    }

    /// Has a signal come to this thread.
    static func unblock(_ number: Int32) {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, number)
        pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    }

    private static func take() {
        for number in [SIGTSTP, SIGCONT] { signal(number, tell) }
    }

    /// In the midst of anything: only what is allowed there.
    private static let tell: @convention(c) (Int32) -> Void = { number in
        guard let ends = StopSignals.ends else { return }
        let error = errno
        var number = UInt8(truncatingIfNeeded: number)
        _ = write(ends.write, &number, 1)
        errno = error
    }
}
