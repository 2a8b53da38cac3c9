/// Durations as people write them.
package enum DurationText {
    /// `ms` must precede `s`, because a text in `ms` also ends in `s`. Otherwise in ascending order.
    private static let units: [(suffix: String, milliseconds: Int64)] = [
        ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
    ]

    /// The milliseconds in `25s`, `500ms`, `2m`, `1h`, `7d`, `1.5s` or a bare number of seconds.
    ///
    /// Returns `nil` for anything else, including negative numbers and fractions of a millisecond: rounding to 0 would
    /// mean off.
    package static func milliseconds(_ text: String) -> Int64? {
        let unit = units.first { text.hasSuffix($0.suffix) } ?? ("", 1000)
        let parts = text.dropLast(unit.suffix.count).split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), parts.allSatisfy(Digits.areAll), let whole = Int64(parts[0]) else {
            return nil
        }
        let (product, overflow) = whole.multipliedReportingOverflow(by: unit.milliseconds)
        guard !overflow else { return nil }
        guard parts.count == 2 else { return product }
        let fraction = parts[1].reversed().drop { $0 == "0" }.reversed()
        // Nine digits times the largest unit stay far below the limit of 64 bits.
        guard fraction.count <= 9, let numerator = fraction.isEmpty ? 0 : Int64(String(fraction)) else { return nil }
        let denominator = (0..<fraction.count).reduce(Int64(1)) { power, _ in power * 10 }
        guard numerator * unit.milliseconds % denominator == 0 else { return nil }
        let (sum, sumOverflow) = product.addingReportingOverflow(numerator * unit.milliseconds / denominator)
        return sumOverflow ? nil : sum
    }

    /// The same, for a text that must include its unit.
    package static func milliseconds(withUnit text: String) -> Int64? {
        text.utf8.last.map { $0 > 0x39 } == true ? milliseconds(text) : nil
    }

    /// In whole seconds if possible, else in milliseconds.
    package static func text(_ milliseconds: Int64) -> String {
        milliseconds % 1000 == 0 ? "\(milliseconds / 1000)s" : "\(milliseconds)ms"
    }

    /// In the largest unit that needs no fraction.
    package static func shortest(_ milliseconds: Int64) -> String {
        let unit = units.last { milliseconds > 0 && milliseconds % $0.milliseconds == 0 } ?? units[1]
        return "\(milliseconds / unit.milliseconds)\(unit.suffix)"
    }
}

/// Text that consists of digits.
package enum Digits {
    /// Whether the text has at least one digit and nothing else: no sign, no exponent.
    package static func areAll(_ text: some StringProtocol) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
    }
}
