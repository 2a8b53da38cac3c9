import ApusClient
import ApusProtocol
import Foundation

/// What a condition is about: an event's parts. The payload is parsed when it is first needed.
struct FilterSubject {
    let topic: String
    let key: String?
    let id: String
    let offset: Int?
    let time: String
    let payload: JSONText

    init(topic: String, key: String?, id: String, offset: Int?, time: String, payload: JSONText) {
        self.topic = topic
        self.key = key
        self.id = id
        self.offset = offset
        self.time = time
        self.payload = payload
    }

    init(_ event: ApusClient.Event) {
        self.init(
            topic: event.topic,
            key: event.key,
            id: event.id,
            offset: event.position?.offset,
            time: event.time,
            payload: event.payload
        )
    }
}

/// Decides conditions. Pure: the same event and condition have the same answer, and nothing fails.
///
/// A path that leads nowhere has no value: every comparison with it is false, apart from `!=`, which is the opposite of
/// `=`. Values of different kinds are not equal, and neither is less than the other.
struct FilterEvaluator {
    /// How deep a payload may nest; a deeper one has no values.
    private static let maxDepth = 256

    private let subject: FilterSubject
    private var parsed: JSONValue??

    static func decide(_ expression: FilterExpression, on subject: FilterSubject) -> Bool {
        var evaluator = FilterEvaluator(subject: subject)
        return evaluator.decide(expression)
    }

    private init(subject: FilterSubject) {
        self.subject = subject
    }

    private mutating func decide(_ expression: FilterExpression) -> Bool {
        switch expression {
        case .and(let left, let right): return decide(left) && decide(right)
        case .or(let left, let right): return decide(left) || decide(right)
        case .not(let inner): return !decide(inner)
        case .comparison(let left, let comparison, let right):
            return Self.compare(value(of: left), comparison, value(of: right))
        case .match(let operand, let pattern):
            return value(of: operand).flatMap(Self.text).map(pattern.matches) ?? false
        case .truth(let operand):
            switch value(of: operand) {
            case nil, .null, .boolean(false): return false
            default: return true
            }
        }
    }

    // MARK: Values

    private mutating func value(of operand: FilterOperand) -> JSONValue? {
        switch operand {
        case .literal(let value): return value
        case .path(let path):
            switch path.field {
            case .topic: return .string(subject.topic)
            case .id: return .string(subject.id)
            case .time: return .string(subject.time)
            case .key: return subject.key.map(JSONValue.string)
            case .offset: return subject.offset.map { .number("\($0)") }
            case .payload:
                let root = parsed ?? JSONValue(subject.payload.text, maxDepth: Self.maxDepth)
                parsed = .some(root)
                return path.steps.reduce(root) { value, step in value.flatMap { Self.step(step, into: $0) } }
            }
        }
    }

    private static func step(_ step: FilterPath.Step, into value: JSONValue) -> JSONValue? {
        switch (step, value) {
        case (.member(let name), .object(let members)):
            // Of a name that occurs twice, the last counts.
            return members.last { $0.name == name }?.value
        case (.element(let index), .array(let elements)):
            let place = index < 0 ? elements.count + index : index
            return elements.indices.contains(place) ? elements[place] : nil
        default:
            return nil
        }
    }

    /// A value as text for `~`: numbers and truth values as they are written.
    private static func text(_ value: JSONValue) -> String? {
        switch value {
        case .string(let text), .number(let text): text
        case .boolean(let isTrue): isTrue ? "true" : "false"
        case .null, .array, .object: nil
        }
    }

    // MARK: Comparisons

    private static func compare(_ left: JSONValue?, _ comparison: FilterComparison, _ right: JSONValue?) -> Bool {
        if comparison == .notEqual { return !compare(left, .equal, right) }
        guard let left, let right else { return false }
        switch comparison {
        case .equal: return areEqual(left, right)
        case .notEqual: return false
        case .less: return order(left, right) == .orderedAscending
        case .lessOrEqual: return [.orderedAscending, .orderedSame].contains(order(left, right))
        case .greater: return order(left, right) == .orderedDescending
        case .greaterOrEqual: return [.orderedDescending, .orderedSame].contains(order(left, right))
        case .contains: return contains(left, right)
        case .startsWith:
            guard case .string(let whole) = left, let part = text(right) else { return false }
            return whole.hasPrefix(part)
        }
    }

    private static func contains(_ whole: JSONValue, _ part: JSONValue) -> Bool {
        switch (whole, part) {
        case (.string(let whole), _): text(part).map { $0.isEmpty || whole.contains($0) } ?? false
        case (.array(let elements), _): elements.contains { areEqual($0, part) }
        case (.object(let members), .string(let name)): members.contains { $0.name == name }
        default: false
        }
    }

    private static func areEqual(_ left: JSONValue, _ right: JSONValue) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.boolean(let left), .boolean(let right)): left == right
        case (.string(let left), .string(let right)): left == right
        case (.number, .number): order(left, right) == .orderedSame
        case (.array(let left), .array(let right)):
            left.count == right.count && zip(left, right).allSatisfy(areEqual)
        case (.object(let left), .object(let right)):
            left.count == right.count
                && left.allSatisfy { member in
                    right.contains { $0.name == member.name && areEqual($0.value, member.value) }
                }
        default: false
        }
    }

    /// `nil` for values that have no order.
    private static func order(_ left: JSONValue, _ right: JSONValue) -> ComparisonResult? {
        switch (left, right) {
        case (.number(let left), .number(let right)):
            // Whole numbers keep all their digits.
            if let left = Int64(left), let right = Int64(right) { return order(left, right) }
            guard let left = Double(left), let right = Double(right) else { return nil }
            return order(left, right)
        case (.string(let left), .string(let right)): return order(left, right)
        default: return nil
        }
    }

    private static func order<Value: Comparable>(_ left: Value, _ right: Value) -> ComparisonResult {
        left < right ? .orderedAscending : left == right ? .orderedSame : .orderedDescending
    }
}
