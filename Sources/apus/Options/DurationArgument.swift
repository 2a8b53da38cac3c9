import ArgumentParser
import NIOCore

/// A duration as a command-line argument: `25s`, `500ms`, `2m`, `1h`, or a bare number of seconds.
struct DurationArgument: ExpressibleByArgument {
    let amount: TimeAmount

    init(_ amount: TimeAmount) {
        self.amount = amount
    }

    init?(argument: String) {
        let digits = argument.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int64(digits), (1...1_000_000_000).contains(number) else { return nil }
        switch argument.dropFirst(digits.count) {
        case "", "s": amount = .seconds(number)
        case "ms": amount = .milliseconds(number)
        case "m": amount = .minutes(number)
        case "h": amount = .hours(number)
        default: return nil
        }
    }

    var defaultValueDescription: String { "\(amount.nanoseconds / 1_000_000_000)s" }
}
