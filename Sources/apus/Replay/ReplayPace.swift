import ApusProtocol
import ArgumentParser

/// How fast events are published again: `1x` as they came, `10x` ten times as fast, or `max`.
enum ReplaySpeed: ExpressibleByArgument, Equatable {
    case times(Double)
    case max

    init?(argument: String) {
        if argument == "max" {
            self = .max
        } else {
            let digits = argument.hasSuffix("x") ? argument.dropLast() : argument[...]
            guard let factor = Double(digits), (0.001...1_000_000).contains(factor) else { return nil }
            self = .times(factor)
        }
    }

    var defaultValueDescription: String {
        switch self {
        case .times(let factor): "\(Figures.plain(factor))x"
        case .max: "max"
        }
    }
}

/// When each event is due, from the start of the replay.
struct ReplayPace {
    private enum Rule {
        case times(Double, longestGap: Duration?)
        case rate(Double)
        case none
    }

    private let rule: Rule
    private var last: Int64?
    private var due = Duration.zero
    private var count = 0

    init(speed: ReplaySpeed, rate: Double?, longestGap: Duration?) {
        switch (rate, speed) {
        case (let rate?, _): rule = .rate(rate)
        case (nil, .times(let factor)): rule = .times(factor, longestGap: longestGap)
        case (nil, .max): rule = .none
        }
    }

    /// When the next event is due. One without a time, or with an earlier one than its predecessor, follows at once.
    mutating func next(_ time: Int64?) -> Duration? {
        defer {
            last = time ?? last
            count += 1
        }
        switch rule {
        case .none: return nil
        case .rate(let rate): return .seconds(Double(count) / rate)
        case .times(let factor, let longestGap):
            guard let time, let last, time > last else { return due }
            let gap = Duration.milliseconds(Double(time - last) / factor)
            due += longestGap.map { min(gap, $0) } ?? gap
            return due
        }
    }
}
