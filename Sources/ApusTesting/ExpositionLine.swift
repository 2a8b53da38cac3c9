/// One sample of Prometheus' text format 0.0.4: `name{label="value",…} number`.
package struct ExpositionLine: Sendable {
    struct Fault: Error {
        let reason: String

        init(_ reason: String) {
            self.reason = reason
        }
    }

    package let name: String
    package private(set) var labels: [String: String] = [:]
    package let value: String

    init(_ line: Substring) throws(Fault) {
        var rest = Array(line.utf8)[...]
        name = try Self.takeName(&rest)
        var labels: [String: String] = [:]
        if rest.first == UInt8(ascii: "{") {
            repeat {
                rest.removeFirst()
                let label = try Self.takeLabel(&rest)
                guard labels.updateValue(label.value, forKey: label.name) == nil else {
                    throw Fault("the label \(label.name) comes twice")
                }
            } while rest.first == UInt8(ascii: ",")
            try Self.take("}", &rest)
        }
        try Self.take(" ", &rest)
        value = String(decoding: rest, as: UTF8.self)
        self.labels = labels
        guard Self.number(value) != nil else { throw Fault("no number: '\(value)'") }
    }

    var number: Double { Self.number(value) ?? .nan }

    var labelsWithoutBound: [String: String] { labels.filter { $0.key != "le" } }

    /// Identifies the series.
    var series: String { "\(name) \(labels.sorted { $0.key < $1.key })" }

    /// A number as Go's `ParseFloat` reads it, without the forms that nobody should write.
    package static func number(_ text: String) -> Double? {
        switch text {
        case "+Inf": return .infinity
        case "-Inf": return -.infinity
        case "NaN": return .nan
        default:
            let allowed = text.utf8.allSatisfy { ("0"..."9").contains(Unicode.Scalar($0)) || "+-.e".utf8.contains($0) }
            guard allowed, !text.hasSuffix(".0") else { return nil }
            return Double(text)
        }
    }

    static func checkName(_ name: String) throws(Fault) {
        var rest = Array(name.utf8)[...]
        _ = try takeName(&rest)
        guard rest.isEmpty else { throw Fault("no name: '\(name)'") }
    }

    /// Refuses colons: the format allows them, but only for recording rules.
    private static func takeName(_ rest: inout ArraySlice<UInt8>) throws(Fault) -> String {
        let name = rest.prefix { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): true
            case UInt8(ascii: "0")...UInt8(ascii: "9"): true
            default: false
            }
        }
        guard let first = name.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
            throw Fault("no name at '\(String(decoding: rest, as: UTF8.self))'")
        }
        rest = rest.dropFirst(name.count)
        return String(decoding: name, as: UTF8.self)
    }

    private static func takeLabel(_ rest: inout ArraySlice<UInt8>) throws(Fault) -> (name: String, value: String) {
        let name = try takeName(&rest)
        guard !name.hasPrefix("__") else { throw Fault("the label \(name) is reserved") }
        try take("=", &rest)
        try take("\"", &rest)
        var value: [UInt8] = []
        while let byte = rest.popFirst(), byte != UInt8(ascii: "\"") {
            guard byte == UInt8(ascii: "\\") else {
                value.append(byte)
                continue
            }
            switch rest.popFirst() {
            case UInt8(ascii: "\\"): value.append(UInt8(ascii: "\\"))
            case UInt8(ascii: "\""): value.append(UInt8(ascii: "\""))
            case UInt8(ascii: "n"): value.append(UInt8(ascii: "\n"))
            default: throw Fault("an unknown escape in the label \(name)")
            }
        }
        guard !value.isEmpty else { throw Fault("the label \(name) is empty") }
        return (name, String(decoding: value, as: UTF8.self))
    }

    private static func take(_ character: Unicode.Scalar, _ rest: inout ArraySlice<UInt8>) throws(Fault) {
        guard rest.popFirst() == UInt8(ascii: character) else {
            throw Fault("no '\(character)' before '\(String(decoding: rest, as: UTF8.self))'")
        }
    }
}
