/// How often something may happen: a number of times in each second, minute or hour.
///
/// As text, `100` and `100/s` are a hundred per second, and `30/m` is thirty per minute.
public struct Rate: Sendable, Hashable {
    /// The time in which so many may happen.
    public enum Interval: String, Sendable, CaseIterable {
        case second = "s"
        case minute = "m"
        case hour = "h"

        /// How often it is in an hour.
        var perHour: Int {
            switch self {
            case .second: 3600
            case .minute: 60
            case .hour: 1
            }
        }
    }

    /// The largest number: a terabyte each second.
    package static let most = 1 << 40

    /// 0 means that there is no limit.
    public let count: Int
    public let interval: Interval

    /// No limit.
    public static let off = Rate(0)

    /// - Parameter count: values outside 0 to ``most`` become the nearest of them.
    public init(_ count: Int, per interval: Interval = .second) {
        self.count = min(max(count, 0), Self.most)
        self.interval = interval
    }

    package var isOff: Bool { count == 0 }

    /// How often it may happen in an hour.
    var perHour: Int { count * interval.perHour }

    /// How often it may happen in ten seconds, rounded down.
    package var perTenSeconds: Int { perHour / 360 }

    /// What may happen in one second; at least one.
    var perSecond: Int { max(perHour / 3600, 1) }

    // MARK: Text

    /// Splits a rate's text into its number and its interval; `nil` if the interval is none.
    package static func parts(of text: String) -> (number: String, interval: Interval)? {
        guard let slash = text.lastIndex(of: "/") else { return (text, .second) }
        guard let interval = Interval(rawValue: String(text[text.index(after: slash)...])) else { return nil }
        return (String(text[..<slash]), interval)
    }

    /// Parses `100`, `100/s`, `30/m` or `1/h`; `nil` for anything else.
    public init?(_ text: String) {
        guard let (number, interval) = Self.parts(of: text), Digits.areAll(number), let count = Int(number),
            count <= Self.most
        else { return nil }
        self.init(count, per: interval)
    }

    /// The rate as JSON: a number for a rate per second, and otherwise text.
    package var json: String {
        interval == .second || isOff ? "\(count)" : #""\#(count)/\#(interval.rawValue)""#
    }
}

/// A rate, and how many may come at once.
package struct RateLimit: Sendable, Hashable {
    package let rate: Rate
    /// How many may come at once after a pause; at least one.
    package let burst: Int

    /// - Parameters:
    ///   - rate: `nil` is returned for a rate that is off.
    ///   - burst: 0 means as many as come in one second, and at least one.
    package init?(_ rate: Rate, burst: Int = 0) {
        guard !rate.isOff else { return nil }
        self.rate = rate
        self.burst = burst > 0 ? min(burst, Rate.most) : rate.perSecond
    }
}
