extension Duration {
    /// The most that ``wholeMilliseconds`` gives: a hundred years.
    private static var century: Int64 { 100 * 365 * 86_400_000 }

    /// Whole milliseconds, rounded down; 0 at least and a hundred years at most. A positive duration becomes at least
    /// 1.
    package var wholeMilliseconds: Int64 {
        guard self > .zero else { return 0 }
        guard self < .milliseconds(Self.century) else { return Self.century }
        return max(Int64(self / .milliseconds(1)), 1)
    }

    /// The duration as a command has it: whole milliseconds, rounded up, at least one.
    package var commandText: String {
        "\(max(1, Int64((self / .milliseconds(1)).rounded(.up))))ms"
    }
}
