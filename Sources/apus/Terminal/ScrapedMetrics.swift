/// What a server's `/metrics` said: the samples of Prometheus' text format (version 0.0.4).
struct ScrapedMetrics {
    struct Sample: Equatable {
        let name: Substring
        /// As they stand between the braces: `loop="socket-0",le="0.1"`.
        let labels: Substring
        let value: Double

        /// The text of a label whose values hold neither quotation marks nor commas.
        func label(_ name: String) -> Substring? {
            for label in labels.split(separator: ",") where label.hasPrefix("\(name)=\"") && label.hasSuffix("\"") {
                return label.dropFirst(name.count + 2).dropLast()
            }
            return nil
        }
    }

    let samples: [Sample]

    init(text: String) {
        samples = text.split(separator: "\n").compactMap { line in
            guard line.first != "#" else { return nil }
            let name = line.prefix { $0 != "{" && $0 != " " }
            let rest = line.dropFirst(name.count)
            // A label's value may hold anything but a bare quotation mark; the number follows the last brace.
            let end = rest.lastIndex(of: "}")
            let number = (end.map { rest[$0...].dropFirst() } ?? rest).split(separator: " ").first
            guard let value = number.flatMap({ Double($0) }) else { return nil }
            return Sample(name: name, labels: end.map { rest[..<$0].dropFirst() } ?? "", value: value)
        }
    }

    /// The sum of a name's series; `nil` where there is none.
    func total(_ name: String) -> Double? {
        let values = samples.filter { $0.name == name }.map(\.value)
        return values.isEmpty ? nil : values.reduce(0, +)
    }
}
