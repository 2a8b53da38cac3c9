import ApusBroker

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Measures what it costs to find the filters of a name among 100 to 100,000 that do not match it.
///
/// Exits 1 when the cost with the most is over three times that with the fewest.
@main
enum FilterBench {
    private static let sizes = [100, 1000, 10_000, 100_000]
    private static let rounds = 15
    private static let lookups = 20_000
    private static let limit = 3.0

    private struct Series {
        let trie: FilterTrie<Int>
        var times: [Double] = []

        var median: Double { times.sorted()[times.count / 2] }
    }

    static func main() throws {
        print("CPU time in ns of one lookup that finds 10 filters; medians of \(rounds) interleaved runs of \(lookups)")
        print()
        print("| filters part from the name at | \(sizes.map(String.init).joined(separator: " | ")) | ratio |")
        print("|---|\(String(repeating: "--:|", count: sizes.count + 1))")
        var worst = 0.0
        for scenario in Scenario.all {
            let medians = try measure(scenario)
            guard let first = medians.first, let last = medians.last else { continue }
            let ratio = last / first
            worst = max(worst, ratio)
            let cells = medians.map { String(Int($0.rounded())) } + [text(of: ratio)]
            print("| \(scenario.title) | \(cells.joined(separator: " | ")) |")
        }
        print()
        guard worst <= limit else {
            print("FAILED: the worst ratio is \(text(of: worst)), the limit \(text(of: limit))")
            exit(1)
        }
        print("ok: the worst ratio is \(text(of: worst)), the limit \(text(of: limit))")
    }

    /// The medians for each of the sizes. They are measured in turn, so that a slow minute of the machine slows all.
    private static func measure(_ scenario: Scenario) throws -> [Double] {
        var series = try sizes.map { Series(trie: try scenario.trie(of: $0)) }
        var found = 0
        for round in 0...rounds {
            for index in series.indices {
                let trie = series[index].trie
                let time = Stopwatch.time(lookups) { number in
                    found += trie.matches(of: scenario.names[number % scenario.names.count]).count
                }
                // The first round only warms up.
                if round > 0 { series[index].times.append(time) }
            }
        }
        // Using what was found keeps the compiler from leaving out the search for it.
        precondition(found == (rounds + 1) * sizes.count * lookups * scenario.matching.count)
        return series.map(\.median)
    }

    private static func text(of ratio: Double) -> String {
        let hundredths = Int((ratio * 100).rounded())
        let fraction = String(hundredths % 100)
        return "\(hundredths / 100).\(fraction.count == 1 ? "0" : "")\(fraction)"
    }
}
