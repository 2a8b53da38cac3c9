import ApusProtocol
import Hummingbird
import HummingbirdCore

/// The parameters of a request's query, decoded like form data. Each accessor throws a ``Problem`` that names the
/// parameter.
struct QueryParameters {
    private var values: [String: [String]] = [:]

    init(_ uri: URI) throws(Problem) {
        try self.init(uri.query ?? "")
    }

    /// - Parameter query: the text after the question mark.
    init(_ query: some StringProtocol) throws(Problem) {
        for part in Substring(query).split(separator: "&") {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Self.decoded(pair[0]), let value = Self.decoded(pair.count > 1 ? pair[1] : "") else {
                throw Problem(.badRequest, "The query is not percent-encoded UTF-8")
            }
            values[name, default: []].append(value)
        }
    }

    private static func decoded(_ text: Substring) -> String? {
        percentDecoded(Substring(text.map { $0 == "+" ? " " : $0 }))
    }

    /// All values of a name, in order.
    func all(_ name: String) -> [String] { values[name] ?? [] }

    /// The last value of a name.
    subscript(_ name: String) -> String? { values[name]?.last }

    func integer(_ field: Field, _ limits: Field.Limits) throws(Problem) -> Int? {
        let (name, range) = (field.name, field.range(limits))
        guard let text = self[name] else { return nil }
        guard let value = Int(text), range.contains(value) else {
            let bounds =
                range.upperBound == .max
                ? "not negative" : "from \(range.lowerBound) to \(range.upperBound)"
            throw Problem(.badRequest, "'\(name)' must be an integer, \(bounds)")
        }
        return value
    }

    /// A duration in milliseconds.
    func duration(_ field: Field, _ limits: Field.Limits) throws(Problem) -> Int64? {
        let (name, bounds) = (field.name, field.range(limits))
        let range = Int64(bounds.lowerBound)...Int64(bounds.upperBound)
        guard let text = self[name] else { return nil }
        guard let value = DurationText.milliseconds(text), range.contains(value) else {
            let bounds = "from \(DurationText.shortest(range.lowerBound)) to \(DurationText.shortest(range.upperBound))"
            throw Problem(.badRequest, "'\(name)' must be a duration \(bounds), such as 20s")
        }
        return value
    }

    func flag(_ field: Field) throws(Problem) -> Bool? {
        switch self[field.name] {
        case nil: return nil
        case "true", "1": return true
        case "false", "0": return false
        default: throw Problem(.badRequest, "'\(field.name)' must be true or false")
        }
    }

    func text(_ field: Field, _ limits: Field.Limits) throws(Problem) -> String? {
        guard let text = self[field.name] else { return nil }
        try field.checkSize(of: text, limits)
        return text
    }

    /// Where a replay starts, from `last_n` or `since`.
    func start() throws(Problem) -> ReplayStart? {
        // A count that does not fit an integer is more than the history contains.
        let lastN = self["last_n"].map { Self.isDigits($0) && Int($0) == nil ? "\(Int.max)" : $0 }
        guard let since = self["since"] else {
            guard let lastN else { return nil }
            guard let count = Int(lastN), count >= 0 else {
                throw Problem(.badRequest, "'last_n' must be an integer that is not negative")
            }
            return .lastN(count)
        }
        guard lastN == nil else { throw Problem(.badRequest, "'since' and 'last_n' exclude each other") }
        // In `+02:00`, an unencoded plus has become a space.
        let text = String(since.map { $0 == " " ? "+" : $0 })
        guard let start = ReplayStart(text) else {
            throw Problem(.badRequest, #"'since' must be a duration such as "10m", an RFC 3339 time or "all""#)
        }
        return start
    }

    private static func isDigits(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
    }

    /// Parses a position as event streams write it: `EPOCH:OFFSET`.
    static func position(_ text: String, named name: String) throws(Problem) -> ReplayStart {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, let offset = UInt64(parts[1]) else {
            throw Problem(.badRequest, "'\(name)' must be a position: EPOCH:OFFSET")
        }
        return .position(epoch: String(parts[0]), offset: offset)
    }
}

extension Field {
    func checkSize(of text: String, _ limits: Limits) throws(Problem) {
        let range = range(limits)
        guard range.contains(text.utf8.count) else {
            throw Problem(.badRequest, "'\(name)' must be \(range.lowerBound) to \(range.upperBound) bytes")
        }
    }
}
