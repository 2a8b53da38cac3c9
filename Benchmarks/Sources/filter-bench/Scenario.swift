import ApusBroker
import ApusProtocol

/// Filters of one kind: ten that match every name looked up, and as many as wanted that match none.
struct Scenario: Sendable {
    let title: String
    /// The names looked up, one after the other.
    let names: [String]
    /// The filters that match each of the names.
    let matching: [String]
    /// The `n`th filter that matches none.
    let other: @Sendable (Int) -> String

    static let all = [siblings, strangers, realistic]

    private static let order = "orders.eu.4711.created"
    private static let ofOrder = [
        "orders.eu.4711.*", "orders.eu.*.created", "orders.*.4711.created", "*.eu.4711.created", "orders.eu.>",
        "orders.*.*.created", "*.*.*.created", "*.eu.>", "orders.>", ">",
    ]

    /// They part from the name at its last token: all of them are children of one node that the walk is at.
    private static let siblings = Scenario(
        title: "last token",
        names: [order],
        matching: ofOrder,
        other: { "orders.eu.*.event\($0)" }
    )

    /// They part from the name at its first token.
    private static let strangers = Scenario(
        title: "first token",
        names: [order],
        matching: ofOrder,
        other: { "service\($0).*.created" }
    )

    /// They are spread over services, regions and events as those of many teams would be. The names are 1,000, so that
    /// the processor's caches do not hold the one path that is walked.
    private static let realistic = Scenario(
        title: "spread",
        names: (0..<1000).map { "\(service($0 * 7)).\(region($0)).\($0 * 7919).created" },
        matching: [
            ">", "*.>", "*.*.>", "*.*.*.>", "*.*.*.*", "*.*.*.created", "*.*.>", ">", "*.*.*.*", "*.*.*.created",
        ],
        other: { number in
            let service = service(number)
            let region = region(number / 400)
            switch number % 4 {
            case 0: return "\(service).\(region).*.event\(number / 10_000)"
            case 1: return "\(service).*.customer\(number).created"
            case 2: return "\(service).\(region).customer\(number).>"
            default: return "*.\(region).customer\(number).*"
            }
        }
    )

    private static func service(_ number: Int) -> String {
        let services = ["orders", "payments", "shipments", "customers", "invoices", "stock", "returns", "search"]
        return services[number % services.count] + (number % 400 < 8 ? "" : "-team\(number / 8 % 50)")
    }

    private static func region(_ number: Int) -> String {
        let regions = ["eu", "us", "apac", "latam", "mea", "eu-north", "eu-south", "us-east", "us-west", "anz"]
        return regions[number % regions.count]
    }

    /// A trie with the ten, and `count` that do not match.
    func trie(of count: Int) throws(UnusableScenario) -> FilterTrie<Int> {
        var trie = FilterTrie<Int>()
        for (number, text) in ((0..<count).map(other) + matching).enumerated() {
            guard let filter = TopicFilter(text) else { throw UnusableScenario(problem: "\(text) is no pattern") }
            // A sample, since trying 100,000 filters on 1,000 names takes longer than the measurement.
            let isMatching = names.prefix(10).map(filter.matches)
            guard isMatching.allSatisfy({ $0 == (number >= count) }) else {
                throw UnusableScenario(problem: "\(text) is in the wrong list")
            }
            _ = trie.insert(filter, number)
        }
        for name in names where trie.matches(of: name) != Array(count..<count + matching.count) {
            throw UnusableScenario(problem: "\(name) does not find its ten filters among \(count)")
        }
        return trie
    }
}

/// A scenario whose filters do not match what they are said to.
struct UnusableScenario: Error {
    let problem: String
}
