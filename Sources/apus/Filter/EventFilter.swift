import ApusClient
import ArgumentParser
import Foundation

/// Which events `apus tail` and `apus replay` take. The same flags for both; an event must meet all that are given.
struct EventFilterOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Only events that meet this condition, such as 'payload.amount > 100 and topic ~ \"orders.*\"'.",
            valueName: "condition"
        )
    )
    var `where`: String?

    @Option(help: ArgumentHelp("Only events with this key.", valueName: "key"))
    var key: String?

    @Option(help: ArgumentHelp("Only events with this text in their payload, in any case.", valueName: "text"))
    var text: String?

    @Option(help: ArgumentHelp("Only the event with this id.", valueName: "uuid"))
    var id: String?

    func filter() throws -> EventFilter {
        var filter = EventFilter(key: key, text: text, id: id)
        guard let condition = `where` else { return filter }
        do {
            filter.condition = try FilterParser.parse(condition)
        } catch {
            throw CommandFailure("--where: \(error.text(in: condition))", exitCode: .usage)
        }
        return filter
    }
}

/// Decides which events are wanted.
struct EventFilter: Sendable {
    var condition: FilterExpression?
    var key: String?
    var text: String?
    var id: String?

    init(condition: FilterExpression? = nil, key: String? = nil, text: String? = nil, id: String? = nil) {
        self.condition = condition
        self.key = key
        self.text = text
        self.id = id?.lowercased()
    }

    func takes(_ event: ApusClient.Event) -> Bool { takes(FilterSubject(event)) }

    func takes(_ subject: FilterSubject) -> Bool {
        if let key, subject.key != key { return false }
        if let id, subject.id.lowercased() != id { return false }
        if let text, !text.isEmpty, subject.payload.text.range(of: text, options: .caseInsensitive) == nil {
            return false
        }
        return condition.map { FilterEvaluator.decide($0, on: subject) } ?? true
    }
}
