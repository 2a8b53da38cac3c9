import ApusVerify
import Foundation

/// Shows a verification's progress on standard error: every second on a terminal, every ten seconds elsewhere.
struct VerifyProgress: Sendable {
    private static let isTerminal = isatty(STDERR_FILENO) == 1

    let control: VerifyControl

    /// Runs until its task is cancelled.
    func run() async {
        let begin = ContinuousClock.now
        let interval = Self.isTerminal ? 1 : 10
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(interval))
            guard !Task.isCancelled else { break }
            let seconds = Int((ContinuousClock.now - begin) / .seconds(1))
            let line = Self.line(control.sums, control.phase, seconds: seconds)
            // On a terminal, each line overwrites the previous one.
            StandardError.write(Self.isTerminal ? "\r\u{1B}[K\(line)" : line + "\n")
        }
        if Self.isTerminal { StandardError.write("\r\u{1B}[K") }
    }

    static func line(_ sums: VerifyControl.Sums, _ phase: VerifyControl.Phase, seconds: Int) -> String {
        let reconnects = sums.byTransport.values.reduce(0) { $0 + $1.reconnects }
        let counts = sums.counts
        var line = "\(seconds) s: published \(sums.published), delivered \(counts.delivered), "
        line += "reconnects \(reconnects), lost \(counts.lost), doubled \(counts.doubled), "
        line += "reordered \(counts.reordered)"
        if counts.announced > 0 { line += ", announced \(counts.announced)" }
        let others = counts.misplaced + counts.damaged + counts.vanished + counts.faults
        if others > 0 { line += ", other violations \(others)" }
        if phase >= .draining { line += "; waiting for the rest" }
        return line
    }
}
