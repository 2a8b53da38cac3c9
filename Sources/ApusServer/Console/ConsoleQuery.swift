import ApusAccess
import ApusBroker
import ApusProtocol

/// What a console wants to see.
struct ConsoleQuery: Sendable {
    enum View: String, Sendable, CaseIterable {
        /// Nothing but the figures of the whole server.
        case none
        case topics, subscribers, log
    }

    let view: View
    let topics: TopicQuery
    /// The order and the topic of subscribers.
    let order: Hub.ReportOrder
    let topic: String?

    init(_ query: QueryParameters, _ limits: ServerConfiguration.Limits) throws(Problem) {
        guard let view = View(rawValue: query["view"] ?? View.none.rawValue) else {
            let names = View.allCases.map(\.rawValue).joined(separator: ", ")
            throw Problem(.badRequest, "'view' must be one of \(names)")
        }
        self.view = view
        // The query is checked the same way whichever view it is for.
        topics = try TopicQuery(query, limits, acceptsOtherSorts: true)
        topic = try query.text(.consoleTopic, limits)
        order = query["sort"].flatMap(Hub.ReportOrder.init) ?? .since
        let sort = query["sort"] ?? ""
        guard sort.isEmpty || TopicQuery.Sort(rawValue: sort) != nil || Hub.ReportOrder(rawValue: sort) != nil else {
            let names = (TopicQuery.Sort.allCases.map(\.rawValue) + Hub.ReportOrder.allCases.map(\.rawValue))
            throw Problem(.badRequest, "'sort' must be one of \(names.joined(separator: ", "))")
        }
    }

    /// Whether a client may have the view at all. What it sees of topics and subscribers is another question.
    func isAllowed(for client: ClientAccess) -> Bool {
        view != .log || client.allowsEverywhere(.admin)
    }
}
