import ApusProtocol

/// What a console asks of the topics.
struct TopicQuery: Sendable, Equatable {
    enum Sort: String, Sendable, CaseIterable {
        case name, rate, bytes, subscribers, messages
    }

    enum Order: String, Sendable, CaseIterable {
        case asc, desc
    }

    /// A part of the names, in lower case, as bytes.
    var search: [UInt8] = []
    /// What names begin with, as bytes.
    var prefix: [UInt8] = []
    /// Whether names are grouped by their next token.
    var isTree = false
    var sort = Sort.name
    var isAscending = true
    var limit = 100
    var offset = 0
}

extension TopicQuery {
    /// - Parameter acceptsOtherSorts: whether `sort` may be that of another view, which then counts as none.
    init(
        _ query: QueryParameters,
        _ limits: ServerConfiguration.Limits,
        acceptsOtherSorts: Bool = false
    ) throws(Problem) {
        search = Array((try query.text(.topicSearch, limits) ?? "").utf8).map(Self.lowered)
        prefix = Array((try query.text(.topicPrefix, limits) ?? "").utf8)
        isTree = try query.flag(.tree) ?? false
        if let text = query["sort"] {
            let known = Sort(rawValue: text)
            guard known != nil || acceptsOtherSorts else {
                let names = Sort.allCases.map(\.rawValue).joined(separator: ", ")
                throw Problem(.badRequest, "'sort' must be one of \(names)")
            }
            sort = known ?? .name
        }
        isAscending = sort == .name
        if let text = query["order"] {
            guard let order = Order(rawValue: text) else { throw Problem(.badRequest, "'order' must be asc or desc") }
            isAscending = order == .asc
        }
        limit = try query.integer(.topicLimit, limits) ?? 100
        offset = try query.integer(.topicOffset, limits) ?? 0
    }

    /// Whether a name is asked for, as bytes.
    func matches(_ name: [UInt8]) -> Bool {
        guard name.starts(with: prefix) else { return false }
        guard let first = search.first else { return true }
        guard name.count >= search.count else { return false }
        return (0...(name.count - search.count)).contains { start in
            guard Self.lowered(name[start]) == first else { return false }
            return (1..<max(search.count, 1)).allSatisfy { Self.lowered(name[start + $0]) == search[$0] }
        }
    }

    /// Only letters of ASCII have two cases here.
    private static func lowered(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }
}
