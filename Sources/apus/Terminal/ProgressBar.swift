import Foundation

/// How far a command is, as a bar on a line of standard error that is overwritten. Only on a terminal, and not at once.
struct ProgressBar {
    private static let isTerminal = isatty(STDERR_FILENO) == 1
    private static let interval = Duration.milliseconds(200)
    private static let (eighths, longest) = (Array(" ▏▎▍▌▋▊▉"), 40)

    private let title: String
    private let patience: Duration
    private let start = ContinuousClock.now
    private var last: ContinuousClock.Instant?

    /// - Parameter patience: how long nothing is shown.
    init(_ title: String, patience: Duration = .milliseconds(500)) {
        self.title = title
        self.patience = patience
    }

    /// - Parameters:
    ///   - fraction: from 0 to 1; without a bar if it is unknown.
    ///   - note: what stands after the bar.
    mutating func show(_ fraction: Double?, _ note: String) {
        let now = ContinuousClock.now
        guard Self.isTerminal, now - start > patience, last.map({ now - $0 >= Self.interval }) ?? true else {
            return
        }
        last = now
        let text = Self.line(title, fraction, note, columns: Terminal.columns(of: STDERR_FILENO))
        StandardError.write("\r\u{1B}[K" + text)
    }

    mutating func clear() {
        if last != nil { StandardError.write("\r\u{1B}[K") }
        last = nil
    }

    /// The line, which is shorter than the terminal is wide.
    static func line(_ title: String, _ fraction: Double?, _ note: String, columns: Int) -> String {
        guard let fraction else { return String("\(title): \(note)".prefix(max(0, columns - 1))) }
        let percent = String(format: "%3.0f %%", (fraction * 100).rounded(.down))
        let room = columns - 1 - title.count - note.count - percent.count - "  ▕▏  ".count
        guard room >= 5 else { return String("\(title) \(percent) \(note)".prefix(max(0, columns - 1))) }
        return "\(title) \(percent) ▕\(bar(fraction, cells: min(room, longest)))▏ \(note)"
    }

    private static func bar(_ fraction: Double, cells: Int) -> String {
        let filled = Int((min(max(fraction, 0), 1) * Double(cells * 8)).rounded(.down))
        var bar = String(repeating: "█", count: filled / 8)
        if filled / 8 < cells { bar.append(eighths[filled % 8]) }
        return bar + String(repeating: " ", count: cells - bar.count)
    }
}
