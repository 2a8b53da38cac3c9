import ApusProtocol

/// What a console asks of the topics.
struct TopicQuery: Sendable, Equatable {
    enum Sort: String, Sendable, CaseIterable {
        case name, rate, bytes, subscribers, messages
    }

    enum Order: String, Sendable, CaseIterable {
        case asc, desc
    }

    /// What the names contain.
    var search = TextSearch("")
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
        search = TextSearch(try query.text(.topicSearch, limits) ?? "")
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
    func matches(_ name: UnsafeRawBufferPointer) -> Bool {
        name.count >= prefix.count && name.prefix(prefix.count).elementsEqual(prefix) && search.isFound(in: name)
    }
}
