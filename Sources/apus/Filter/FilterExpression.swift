import ApusProtocol

/// A condition on events, as `--where` takes it: `payload.amount > 100 and topic ~ "orders.*"`.
indirect enum FilterExpression: Sendable {
    case and(FilterExpression, FilterExpression)
    case or(FilterExpression, FilterExpression)
    case not(FilterExpression)
    case comparison(FilterOperand, FilterComparison, FilterOperand)
    case match(FilterOperand, FilterPattern)
    /// An operand by itself: whether it is there, and neither `false` nor `null`.
    case truth(FilterOperand)
}

/// How two values are compared.
enum FilterComparison: Sendable {
    case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual, contains, startsWith
}

/// One side of a comparison.
enum FilterOperand: Sendable {
    case path(FilterPath)
    /// A value, and how it is written, which is what `contains` and `startswith` look for in texts.
    case literal(JSONValue, written: String)
}

/// A value of an event: a field of it, and steps into that.
struct FilterPath: Sendable, Equatable {
    enum Field: String, CaseIterable, Sendable {
        case payload, topic, key, id, offset, time, message

        init?(word: String) {
            // As the event has it.
            self.init(rawValue: word == "ts" ? "time" : word)
        }

        var hasMembers: Bool { self == .payload || self == .message }
    }

    enum Step: Sendable, Equatable {
        case member(String)
        /// From 0; from -1 at the end.
        case element(Int)
    }

    let field: Field
    var steps: [Step] = []
}

/// What is wrong with a condition, and where.
struct FilterError: Error, Equatable {
    let message: String
    /// The characters before it.
    let column: Int

    /// The message, the condition and a caret below the place.
    func text(in condition: String) -> String {
        let shown = String(condition.map { $0.isNewline || $0 == "\t" ? " " : $0 })
        return "\(message)\n  \(Terminal.printable(shown))\n  \(String(repeating: " ", count: column))^"
    }
}
