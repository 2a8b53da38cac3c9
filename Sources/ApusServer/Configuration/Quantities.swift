/// Byte sizes as people write them.
enum ByteSize {
    private static let units: [(suffix: String, bytes: Int)] = [
        ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("kB", 1000), ("KB", 1000), ("MB", 1_000_000),
        ("GB", 1_000_000_000), ("B", 1),
    ]

    /// The bytes that `1048576`, `64KiB` or `1MB` stands for; nil when it is none of these, or more than an `Int`
    /// holds.
    static func bytes(_ text: String) -> Int? {
        let unit = units.first { text.hasSuffix($0.suffix) }
        let digits = text.dropLast(unit?.suffix.count ?? 0)
        guard Digits.areAll(digits), let count = Int(digits) else { return nil }
        let (bytes, overflow) = count.multipliedReportingOverflow(by: unit?.bytes ?? 1)
        return overflow ? nil : bytes
    }

    /// In the largest binary unit that needs no fraction.
    static func text(_ bytes: Int) -> String {
        let unit = units.prefix(3).last { bytes > 0 && bytes % $0.bytes == 0 }
        return unit.map { "\(bytes / $0.bytes)\($0.suffix)" } ?? "\(bytes)"
    }
}

/// Durations as people write them.
enum DurationText {
    /// `ms` before `s` and `m`, whose letters it shares.
    private static let units: [(suffix: String, milliseconds: Int64)] = [
        ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000),
    ]

    /// The milliseconds that `25s`, `500ms`, `2m`, `1h`, `1.5s` or a bare number of seconds stands for.
    ///
    /// Nil for anything else, negative numbers and parts of a millisecond: what would be rounded to 0 would be off.
    static func milliseconds(_ text: String) -> Int64? {
        let unit = units.first { text.hasSuffix($0.suffix) } ?? ("", 1000)
        let parts = text.dropLast(unit.suffix.count).split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), parts.allSatisfy(Digits.areAll), let whole = Int64(parts[0]) else {
            return nil
        }
        let (product, overflow) = whole.multipliedReportingOverflow(by: unit.milliseconds)
        guard !overflow else { return nil }
        guard parts.count == 2 else { return product }
        let fraction = parts[1].reversed().drop { $0 == "0" }.reversed()
        // Nine digits times the largest unit stay far below what 64 bits hold.
        guard fraction.count <= 9, let numerator = fraction.isEmpty ? 0 : Int64(String(fraction)) else { return nil }
        let denominator = (0..<fraction.count).reduce(Int64(1)) { power, _ in power * 10 }
        guard numerator * unit.milliseconds % denominator == 0 else { return nil }
        let (sum, sumOverflow) = product.addingReportingOverflow(numerator * unit.milliseconds / denominator)
        return sumOverflow ? nil : sum
    }

    /// In seconds where that needs no fraction.
    static func text(_ milliseconds: Int64) -> String {
        milliseconds % 1000 == 0 ? "\(milliseconds / 1000)s" : "\(milliseconds)ms"
    }
}

private enum Digits {
    /// At least one, and nothing else: no sign, no exponent.
    static func areAll(_ text: some StringProtocol) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
    }
}
