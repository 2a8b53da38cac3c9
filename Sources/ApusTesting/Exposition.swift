/// A scrape in Prometheus' text format 0.0.4, parsed strictly.
///
/// Everything that Prometheus or `promtool check metrics` would refuse or warn about is a fault.
package struct Exposition: Sendable {
    package struct Fault: Error, Equatable, CustomStringConvertible {
        package let line: Int
        package let reason: String

        package var description: String { "line \(line): \(reason)" }
    }

    package struct Family: Sendable {
        package let name: String
        package let help: String
        package fileprivate(set) var kind = ""
        package fileprivate(set) var samples: [ExpositionLine] = []
    }

    package private(set) var families: [Family] = []

    package init(_ text: String) throws(Fault) {
        guard text.isEmpty || text.utf8.last == UInt8(ascii: "\n") else {
            throw Fault(line: 0, reason: "no newline at the end")
        }
        for (index, bytes) in text.utf8.dropLast().split(
            separator: UInt8(ascii: "\n"),
            omittingEmptySubsequences: false
        )
        .enumerated() {
            guard !text.isEmpty else { break }
            do throws(ExpositionLine.Fault) {
                try take(Substring(bytes))
            } catch {
                throw Fault(line: index + 1, reason: error.reason)
            }
        }
        for family in families {
            do throws(ExpositionLine.Fault) {
                try family.check()
            } catch {
                throw Fault(line: 0, reason: "\(family.name): \(error.reason)")
            }
        }
    }

    /// The value of a series, with its labels in any order.
    package func value(_ name: String, _ labels: [String: String] = [:]) -> String? {
        families.flatMap(\.samples).first { $0.name == name && $0.labels == labels }?.value
    }

    package subscript(_ family: String) -> Family? {
        families.first { $0.name == family }
    }

    private mutating func take(_ line: Substring) throws(ExpositionLine.Fault) {
        let words = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false)
        if words.count == 4, words[0] == "#", words[1] == "HELP" {
            try addFamily(String(words[2]), help: String(words[3]))
        } else if words.count == 4, words[0] == "#", words[1] == "TYPE" {
            try setKind(of: String(words[2]), to: String(words[3]))
        } else {
            try add(try ExpositionLine(line))
        }
    }

    private mutating func addFamily(_ name: String, help: String) throws(ExpositionLine.Fault) {
        try ExpositionLine.checkName(name)
        guard !families.contains(where: { $0.name == name }) else { throw .init("\(name) comes twice") }
        guard !help.isEmpty else { throw .init("\(name) has no help") }
        families.append(Family(name: name, help: help))
    }

    private mutating func setKind(of name: String, to kind: String) throws(ExpositionLine.Fault) {
        guard let last = families.indices.last, families[last].name == name, families[last].kind.isEmpty else {
            throw .init("the TYPE of \(name) does not follow its HELP")
        }
        guard ["counter", "gauge", "histogram"].contains(kind) else { throw .init("no such kind: \(kind)") }
        families[last].kind = kind
    }

    private mutating func add(_ sample: ExpositionLine) throws(ExpositionLine.Fault) {
        guard let last = families.indices.last, !families[last].kind.isEmpty else {
            throw .init("\(sample.name) has no TYPE")
        }
        guard families[last].sampleNames.contains(sample.name) else {
            throw .init("\(sample.name) is none of \(families[last].name)")
        }
        families[last].samples.append(sample)
    }
}

extension Exposition.Family {
    fileprivate var sampleNames: [String] {
        kind == "histogram" ? ["_bucket", "_sum", "_count"].map { name + $0 } : [name]
    }

    fileprivate func check() throws(ExpositionLine.Fault) {
        guard !samples.isEmpty else { throw .init("no samples") }
        guard Set(samples.map(\.series)).count == samples.count else { throw .init("a series comes twice") }
        switch kind {
        case "counter":
            guard name.hasSuffix("_total") else { throw .init("a counter that does not end in _total") }
            guard samples.allSatisfy({ $0.number >= 0 }) else { throw .init("a counter below 0") }
        case "histogram":
            for labels in Set(samples.map(\.labelsWithoutBound)) { try checkHistogram(labels) }
        default:
            guard !name.hasSuffix("_total") else { throw .init("a gauge that ends in _total") }
        }
    }

    private func checkHistogram(_ labels: [String: String]) throws(ExpositionLine.Fault) {
        let own = samples.filter { $0.labelsWithoutBound == labels }
        let buckets = own.filter { $0.name == name + "_bucket" }
        let bounds = buckets.compactMap { $0.labels["le"] }.compactMap(ExpositionLine.number)
        guard bounds.count == buckets.count, bounds.last == .infinity else { throw .init("a bucket without bound") }
        guard zip(bounds, bounds.dropFirst()).allSatisfy(<) else { throw .init("bounds do not ascend") }
        let counts = buckets.map(\.number)
        guard zip(counts, counts.dropFirst()).allSatisfy(<=) else { throw .init("buckets are not cumulative") }
        let rest = own.dropFirst(buckets.count)
        guard rest.map(\.name) == [name + "_sum", name + "_count"], rest.allSatisfy({ $0.labels["le"] == nil }) else {
            throw .init("no sum, or no count")
        }
        guard rest.last?.number == counts.last else { throw .init("the count is not that of the last bucket") }
    }
}
