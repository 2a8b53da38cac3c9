import ApusConformance

/// Prints results as they come, below a heading for each group.
struct ConformancePrinter {
    private var group = ""

    mutating func lines(_ result: ConformanceResult) -> String {
        var lines = ""
        if result.group != group {
            lines += (group.isEmpty ? "" : "\n") + Terminal.styled(result.group, .bold) + "\n"
            group = result.group
        }
        let name = Terminal.printable(result.name)
        switch result.outcome {
        case .passed:
            lines += "  ✓ \(name)\n"
        case .failed(let what):
            lines += "  " + Terminal.styled("✗ \(name)", .yellow) + "\n"
            lines += "      \(Terminal.printable(what))\n"
            lines += "      expected: \(result.expects) (\(result.section))\n"
        case .skipped(let why):
            lines += "  " + Terminal.styled("- \(name)  skipped: \(Terminal.printable(why))", .dim) + "\n"
        }
        return lines
    }
}
