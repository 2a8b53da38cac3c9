/// The samples of a server's `/metrics`, in Prometheus' text format (version 0.0.4).
package struct ScrapedMetrics {
    package struct Sample: Equatable {
        package let name: Substring
        /// The text between the braces: `loop="socket-0",le="0.1"`.
        package let labels: Substring
        package let value: Double

        /// The value of a label. No label's value may contain quotation marks or commas.
        package func label(_ name: String) -> Substring? {
            for label in labels.split(separator: ",") where label.hasPrefix("\(name)=\"") && label.hasSuffix("\"") {
                return label.dropFirst(name.count + 2).dropLast()
            }
            return nil
        }
    }

    package let samples: [Sample]

    package init(text: String) {
        samples = text.split(separator: "\n").compactMap { line in
            guard line.first != "#" else { return nil }
            let name = line.prefix { $0 != "{" && $0 != " " }
            let rest = line.dropFirst(name.count)
            // A label's value may contain anything except a bare quotation mark. The number follows the last brace.
            let end = rest.lastIndex(of: "}")
            let number = (end.map { rest[$0...].dropFirst() } ?? rest).split(separator: " ").first
            guard let value = number.flatMap({ Double($0) }) else { return nil }
            return Sample(name: name, labels: end.map { rest[..<$0].dropFirst() } ?? "", value: value)
        }
    }

    /// The sum of a name's series; `nil` if there are none.
    package func total(_ name: String) -> Double? {
        let values = samples.filter { $0.name == name }.map(\.value)
        return values.isEmpty ? nil : values.reduce(0, +)
    }
}
