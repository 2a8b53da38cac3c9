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
/// `=`. Values of different kinds are not equal, and neither is less than the other. Texts are compared as JavaScript
/// does, by their codes, because the console has the same language.
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
            let (whole, other) = (value(of: left), value(of: right))
            return Self.compare(whole, comparison, other, part: Self.text(right, other))
        case .match(let operand, let pattern):
            guard case .string(let text) = value(of: operand) else { return false }
            return pattern.matches(text)
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
        case .literal(let value, _): return value
        case .path(let path):
            switch path.field {
            case .topic: return .string(subject.topic)
            case .id: return .string(subject.id)
            case .time: return .string(subject.time)
            case .key: return subject.key.map(JSONValue.string)
            case .offset: return subject.offset.map { .number("\($0)") }
            case .payload: return Self.follow(path.steps, from: payload())
            case .message:
                var members = [(name: "id", value: JSONValue.string(subject.id))]
                if let payload = payload() { members.append(("payload", payload)) }
                return Self.follow(path.steps, from: .object(members))
            }
        }
    }

    private mutating func payload() -> JSONValue? {
        let root = parsed ?? JSONValue(subject.payload.text, maxDepth: Self.maxDepth)
        parsed = .some(root)
        return root
    }

    private static func follow(_ steps: [FilterPath.Step], from root: JSONValue?) -> JSONValue? {
        steps.reduce(root) { value, step in value.flatMap { Self.step(step, into: $0) } }
    }

    private static func step(_ step: FilterPath.Step, into value: JSONValue) -> JSONValue? {
        switch (step, value) {
        case (.member(let name), .object(let members)): member(name, of: members)
        case (.element(let index), .object(let members)): member("\(index)", of: members)
        case (.member("length"), .array(let elements)): .number("\(elements.count)")
        case (.member(let name), .array(let elements)):
            name.utf8.allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains)
                ? Int(name).flatMap { element($0, of: elements) } : nil
        case (.element(let index), .array(let elements)): element(index, of: elements)
        default: nil
        }
    }

    /// Of a name that occurs twice, the last counts.
    private static func member(_ name: String, of members: [(name: String, value: JSONValue)]) -> JSONValue? {
        members.last { same($0.name, name) }?.value
    }

    private static func element(_ index: Int, of elements: [JSONValue]) -> JSONValue? {
        let place = index < 0 ? elements.count + index : index
        return elements.indices.contains(place) ? elements[place] : nil
    }

    /// What the right side is for a search in texts: how it is written, or the text that it leads to.
    private static func text(_ operand: FilterOperand, _ value: JSONValue?) -> String? {
        if case .literal(_, let written) = operand { return written }
        if case .string(let text) = value { return text }
        return nil
    }

    /// Not by what they look like, as `==` does it.
    private static func same(_ left: String, _ right: String) -> Bool {
        left.utf8.elementsEqual(right.utf8)
    }

    // MARK: Comparisons

    private static func compare(
        _ left: JSONValue?,
        _ comparison: FilterComparison,
        _ right: JSONValue?,
        part: String?
    ) -> Bool {
        if comparison == .notEqual { return !compare(left, .equal, right, part: part) }
        guard var left, var right else { return false }
        switch right {
        case .object, .array: (left, right) = (withoutDuplicates(left), withoutDuplicates(right))
        default: break
        }
        switch comparison {
        case .equal: return areEqual(left, right)
        case .notEqual: return false
        case .less: return order(left, right) == .orderedAscending
        case .lessOrEqual: return [.orderedAscending, .orderedSame].contains(order(left, right))
        case .greater: return order(left, right) == .orderedDescending
        case .greaterOrEqual: return [.orderedDescending, .orderedSame].contains(order(left, right))
        case .contains: return contains(left, right, part: part)
        case .startsWith:
            guard case .string(let whole) = left, let part else { return false }
            return whole.utf8.starts(with: part.utf8)
        }
    }

    private static func contains(_ whole: JSONValue, _ right: JSONValue, part: String?) -> Bool {
        switch (whole, right) {
        case (.string(let whole), _): part.map { $0.isEmpty || whole.utf8.contains($0.utf8) } ?? false
        case (.array(let elements), _): elements.contains { areEqual($0, right) }
        case (.object(let members), .string(let name)): member(name, of: members) != nil
        default: false
        }
    }

    /// The same value with only the last member of each name.
    private static func withoutDuplicates(_ value: JSONValue) -> JSONValue {
        switch value {
        case .array(let elements): .array(elements.map(withoutDuplicates))
        case .object(let members):
            .object(
                byName(members).values.map { (name: $0.name, value: withoutDuplicates($0.value)) }
            )
        default: value
        }
    }

    /// The members by the bytes of their names, so that a publisher's object with many takes no longer than it is long.
    private static func byName(
        _ members: [(name: String, value: JSONValue)]
    ) -> [[UInt8]: (name: String, value: JSONValue)] {
        Dictionary(members.map { (Array($0.name.utf8), $0) }) { $1 }
    }

    /// Of values without duplicate members.
    private static func areEqual(_ left: JSONValue, _ right: JSONValue) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.boolean(let left), .boolean(let right)): left == right
        case (.string(let left), .string(let right)): same(left, right)
        case (.number, .number): order(left, right) == .orderedSame
        case (.array(let left), .array(let right)):
            left.count == right.count && zip(left, right).allSatisfy(areEqual)
        case (.object(let left), .object(let right)):
            left.count == right.count && areEqual(left, byName(right))
        default: false
        }
    }

    private static func areEqual(
        _ left: [(name: String, value: JSONValue)],
        _ right: [[UInt8]: (name: String, value: JSONValue)]
    ) -> Bool {
        left.allSatisfy { member in right[Array(member.name.utf8)].map { areEqual(member.value, $0.value) } ?? false }
    }

    /// `nil` for values that have no order.
    private static func order(_ left: JSONValue, _ right: JSONValue) -> ComparisonResult? {
        switch (left, right) {
        case (.number(let left), .number(let right)):
            // Whole numbers keep all their digits.
            if let left = Int64(left), let right = Int64(right) { return order(left, right) }
            guard let left = Double(left), let right = Double(right) else { return nil }
            return order(left, right)
        case (.string(let left), .string(let right)):
            if same(left, right) { return .orderedSame }
            return left.utf16.lexicographicallyPrecedes(right.utf16) ? .orderedAscending : .orderedDescending
        default: return nil
        }
    }

    private static func order<Value: Comparable>(_ left: Value, _ right: Value) -> ComparisonResult {
        left < right ? .orderedAscending : left == right ? .orderedSame : .orderedDescending
    }
}
