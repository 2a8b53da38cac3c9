import ApusLoad
import Foundation

/// Shows a run's progress on standard error, on one line that is overwritten. Only on a terminal.
struct BenchProgress: Sendable {
    private static let isTerminal = isatty(STDERR_FILENO) == 1

    let control: LoadControl

    /// Runs until its task is cancelled.
    func run() async {
        guard Self.isTerminal else { return }
        var before = control.progress
        var last = ContinuousClock.now
        while !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(500))
            guard !Task.isCancelled else { break }
            let progress = control.progress
            let now = ContinuousClock.now
            let seconds = (now - last) / .seconds(1)
            StandardError.write("\r\u{1B}[K" + Self.line(progress, before: before, seconds: seconds))
            (before, last) = (progress, now)
        }
        StandardError.write("\r\u{1B}[K")
    }

    static func line(_ progress: LoadControl.Progress, before: LoadControl.Progress, seconds: Double) -> String {
        let published = Double(progress.published - before.published) / seconds
        let delivered = Double(progress.delivered - before.delivered) / seconds
        let rates = "\(Figures.short(published)) publishes/s, \(Figures.short(delivered)) deliveries/s"
        return switch progress.stage {
        case .connecting: "connecting: \(progress.connected) of \(progress.connections)"
        case .warmingUp: "warming up: \(rates)"
        case .measuring: "measuring: \(rates)"
        case .draining: "waiting for what is on its way"
        case .finished: "done"
        }
    }
}
