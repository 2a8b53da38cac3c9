import ApusSockets
import Foundation
import UnixSignals

/// The signals of a server: those of ``Interrupts``, and SIGHUP as a request to read the configuration again.
///
/// A closed terminal sends SIGHUP, too. It still ends a server that was started there, unless nohup(1) says otherwise.
struct ServerSignals {
    /// One element for each request to end in good order.
    let ends: AsyncStream<Void>
    /// Requests to reload. Those that come before the one in front is taken are one with it.
    let reloads: AsyncStream<Void>

    /// Takes the signals over: none is lost, and none ends the process, from the moment that it returns. Called once.
    static func trap() async -> ServerSignals {
        let (ends, end) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let (reloads, reload) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let endsWithTerminal = hasTerminal && !isHangupIgnored
        let hangups = await UnixSignalsSequence(trapping: .sighup)
        let interrupts = await Interrupts.requests()
        // As long as the process lives.
        Task {
            for await _ in hangups {
                if endsWithTerminal, !hasTerminal { end.yield() } else { reload.yield() }
            }
        }
        Task {
            for await _ in interrupts { end.yield() }
        }
        return ServerSignals(ends: ends, reloads: reloads)
    }

    /// Whether the process has a terminal. The kernel takes away one that is closed before it sends SIGHUP.
    private static var hasTerminal: Bool {
        let terminal = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC)
        guard terminal >= 0 else { return false }
        close(terminal)
        return true
    }

    /// Whether SIGHUP was ignored when the process started. The mask is hexadecimal; its lowest bit is signal 1.
    static var isHangupIgnored: Bool {
        var mask: UInt64 = 0
        ProcFile.forEachLine(of: "/proc/self/status") { line in
            guard line.hasPrefix("SigIgn:") else { return }
            let digits = line.dropFirst("SigIgn:".count).filter(\.isHexDigit)
            mask = UInt64(digits, radix: 16) ?? 0
        }
        return mask & 1 << (UInt64(SIGHUP) - 1) != 0
    }
}
