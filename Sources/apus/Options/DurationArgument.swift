import ApusProtocol
import ArgumentParser
import NIOCore

/// A duration as a command-line argument, as ``DurationText`` reads it: `25s`, `500ms`, `1.5h`, `7d`, or a bare number
/// of seconds.
struct DurationArgument: ExpressibleByArgument {
    /// A hundred years, which every clock can add to the present.
    private static let longest: Int64 = 36_500 * 86_400_000

    let milliseconds: Int64

    init(_ amount: TimeAmount) {
        milliseconds = amount.nanoseconds / 1_000_000
    }

    init?(argument: String) {
        guard let milliseconds = DurationText.milliseconds(argument), (1...Self.longest).contains(milliseconds) else {
            return nil
        }
        self.milliseconds = milliseconds
    }

    var amount: TimeAmount { .milliseconds(milliseconds) }

    var duration: Duration { .milliseconds(milliseconds) }

    var seconds: Double { Double(milliseconds) / 1_000 }

    var defaultValueDescription: String { DurationText.text(milliseconds) }
}

/// A range of durations such as `200ms..2s`.
struct DurationRange: ExpressibleByArgument {
    /// In seconds; at most a day.
    let seconds: ClosedRange<Double>

    init?(argument: String) {
        guard let dots = argument.firstRange(of: ".."),
            let from = DurationArgument(argument: String(argument[..<dots.lowerBound])),
            let to = DurationArgument(argument: String(argument[dots.upperBound...])),
            from.milliseconds <= to.milliseconds, to.seconds <= 86_400
        else { return nil }
        seconds = from.seconds...to.seconds
    }
}
