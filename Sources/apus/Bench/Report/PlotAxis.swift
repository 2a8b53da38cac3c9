import Foundation

/// One axis of a plot: its range and its ticks.
struct PlotAxis: Equatable {
    /// A tick with its text. `place` is from 0 to 1 along the axis.
    struct Tick: Equatable {
        let place: Double
        let text: String
    }

    let range: ClosedRange<Double>
    let isLogarithmic: Bool
    let ticks: [Tick]

    /// A linear axis with steps of 1, 2 or 5 times a power of ten.
    static func linear(_ values: [Double], fromZero: Bool = true, text: (Double) -> String) -> PlotAxis {
        let low = fromZero ? min(0, values.min() ?? 0) : values.min() ?? 0
        let high = max(values.max() ?? 0, low + 1e-9)
        let step = niceStep((high - low) / 4)
        let first = (low / step).rounded(.down) * step
        let last = (high / step).rounded(.up) * step
        let range = first...max(last, first + step)
        let count = Int(((range.upperBound - range.lowerBound) / step).rounded())
        let ticks = (0...count).map { number in
            Tick(place: Double(number) / Double(count), text: text(first + Double(number) * step))
        }
        return PlotAxis(range: range, isLogarithmic: false, ticks: ticks)
    }

    /// A logarithmic axis with powers of ten. Values must be positive.
    static func logarithmic(_ values: [Double], text: (Double) -> String) -> PlotAxis {
        let low = max(values.min() ?? 1, 1e-9)
        let high = max(values.max() ?? 10, low)
        let first = log10(low).rounded(.down)
        let last = max(log10(high).rounded(.up), first + 1)
        let ticks = stride(from: first, through: last, by: 1).map { power in
            Tick(place: (power - first) / (last - first), text: text(pow(10, power)))
        }
        return PlotAxis(range: pow(10, first)...pow(10, last), isLogarithmic: true, ticks: ticks)
    }

    /// An axis of percentiles from 0 to beyond 99.9. Each nine takes the same space.
    static func percentiles(_ values: [Double]) -> PlotAxis {
        let high = values.map(nines).max() ?? 1
        let last = max(high.rounded(.up), 2)
        let marks = ["0", "90", "99", "99.9", "99.99", "99.999", "99.9999", "99.99999"]
        let ticks = (0...Int(last)).map { number in
            Tick(place: Double(number) / last, text: number < marks.count ? marks[number] + " %" : "\(number) nines")
        }
        return PlotAxis(range: 0...last, isLogarithmic: false, ticks: ticks)
    }

    /// How many nines a percentile has: 0 for 0, 1 for 90, 2 for 99.
    static func nines(_ percentile: Double) -> Double {
        -log10(max(1 - percentile / 100, 1e-7))
    }

    /// The place of a value along the axis, from 0 to 1.
    func place(_ value: Double) -> Double {
        let (low, high) = (range.lowerBound, range.upperBound)
        let place =
            isLogarithmic
            ? (log10(max(value, low)) - log10(low)) / (log10(high) - log10(low)) : (value - low) / (high - low)
        return min(max(place, 0), 1)
    }

    private static func niceStep(_ rough: Double) -> Double {
        guard rough > 0 else { return 1 }
        let power = pow(10, log10(rough).rounded(.down))
        let factor = [1.0, 2, 5].first { $0 * power >= rough * 0.999 } ?? 10
        return factor * power
    }
}
