import Foundation

/// Formats numbers for people.
enum Figures {
    /// Groups digits: `1,234,567`.
    static func grouped(_ value: Int) -> String {
        var digits = Array(String(value.magnitude))
        var place = digits.count - 3
        while place > 0 {
            digits.insert(",", at: place)
            place -= 3
        }
        return (value < 0 ? "-" : "") + String(digits)
    }

    /// Groups digits and drops the fraction: `1,234,567`.
    static func grouped(_ value: Double) -> String {
        grouped(Int(clamped: value))
    }

    /// Three significant digits, with k, M or G: `8.71 M`.
    static func short(_ value: Double) -> String {
        switch abs(value) {
        case 1e9...: digits(value / 1e9) + " G"
        case 1e6...: digits(value / 1e6) + " M"
        case 1e3...: digits(value / 1e3) + " k"
        default: digits(value)
        }
    }

    /// Three significant digits.
    static func digits(_ value: Double) -> String {
        switch abs(value) {
        case 100...: String(format: "%.0f", value)
        case 10...: String(format: "%.1f", value)
        case 1...: String(format: "%.2f", value)
        case 0: "0"
        default: String(format: "%.3f", value)
        }
    }

    /// Three significant digits; no fraction for a whole number.
    static func plain(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e6 ? String(format: "%.0f", value) : digits(value)
    }

    /// A time in microseconds, shown with a suitable unit.
    static func time(us value: Double) -> String {
        switch value {
        case 1e6...: digits(value / 1e6) + " s"
        case 1e3...: digits(value / 1e3) + " ms"
        default: digits(value) + " µs"
        }
    }

    /// A number of bytes, shown with a suitable unit.
    static func bytes(_ value: Double) -> String {
        switch abs(value) {
        case 1_073_741_824...: digits(value / 1_073_741_824) + " GiB"
        case 1_048_576...: digits(value / 1_048_576) + " MiB"
        case 1_024...: digits(value / 1_024) + " KiB"
        default: String(format: "%.0f B", value)
        }
    }
}

extension Int {
    /// The nearest integer; 0 for a value that is not finite.
    fileprivate init(clamped value: Double) {
        self = value.isFinite ? Int(Swift.min(Swift.max(value.rounded(), -9e18), 9e18)) : 0
    }
}
