import ApusProtocol

/// Reads a condition:
///
/// ```
/// condition  = term { "or" term }            term  = factor { "and" factor }
/// factor     = "not" factor | "(" condition ")" | operand [ operator operand | match ]
/// match      = ( "~" | "!~" ) pattern | "matches" ( string | word | number )
/// operator   = "=" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "contains" | "startswith"
/// pattern    = string (a glob) | "/" regular expression "/" [ "i" ]
/// operand    = path | number | string | "true" | "false" | "null"; after an operator also a word, as text
/// path       = field { "." name | "." digits | "." string | "[" integer "]" | "[" string "]" }
/// ```
///
/// The console has the same language, in Sources/ApusServer/Resources/console/where.js. Tests/conditions.json has cases
/// for both.
struct FilterParser {
    /// How deep brackets and `not` may nest, and how many conditions one may have: it is evaluated by recursion.
    private static let (maxDepth, maxConditions) = (64, 256)
    private static let comparisons: [String: FilterComparison] = [
        "=": .equal, "==": .equal, "!=": .notEqual, "<": .less, "<=": .lessOrEqual, ">": .greater,
        ">=": .greaterOrEqual,
    ]
    private static let words: [String: FilterComparison] = ["contains": .contains, "startswith": .startsWith]
    private static let reserved = ["and", "or", "not", "contains", "startswith", "matches"]

    private var lexer: FilterLexer
    private var token = FilterLexer.Token.end
    private var column = 0
    private var conditions = 0

    static func parse(_ text: String) throws(FilterError) -> FilterExpression {
        var parser = FilterParser(lexer: FilterLexer(text))
        try parser.advance()
        if parser.token == .end { throw FilterError(message: "the condition is empty", column: 0) }
        let expression = try parser.condition(depth: 0)
        guard parser.token == .end else {
            throw parser.fault("here the condition could end, or go on with and, or; not with \(parser.shown)")
        }
        return expression
    }

    private init(lexer: FilterLexer) {
        self.lexer = lexer
    }

    private mutating func advance(takesRegex: Bool = false, takesName: Bool = false) throws(FilterError) {
        (token, column) = try lexer.next(takesRegex: takesRegex, takesName: takesName)
    }

    private func fault(_ message: String) -> FilterError {
        FilterError(message: message, column: column)
    }

    private var shown: String {
        switch token {
        case .word(let word): "'\(word)'"
        case .number(let number): number
        case .string: "a text"
        case .regex: "a regular expression"
        case .sign(let sign): "'\(sign)'"
        case .end: "the end"
        }
    }

    // MARK: Conditions

    private mutating func condition(depth: Int) throws(FilterError) -> FilterExpression {
        var left = try term(depth: depth)
        while token == .word("or") {
            try advance()
            left = .or(left, try term(depth: depth))
        }
        return left
    }

    private mutating func term(depth: Int) throws(FilterError) -> FilterExpression {
        var left = try factor(depth: depth)
        while token == .word("and") {
            try advance()
            left = .and(left, try factor(depth: depth))
        }
        return left
    }

    private mutating func factor(depth: Int) throws(FilterError) -> FilterExpression {
        guard depth < Self.maxDepth else {
            throw fault("more than \(Self.maxDepth) brackets and nots within each other")
        }
        conditions += 1
        guard conditions <= Self.maxConditions else { throw fault("more than \(Self.maxConditions) conditions") }
        switch token {
        case .word("not"):
            try advance()
            return .not(try factor(depth: depth + 1))
        case .sign("("):
            let start = column
            try advance()
            let inner = try condition(depth: depth + 1)
            guard token == .sign(")") else {
                if token == .end { throw FilterError(message: "this bracket is not closed", column: start) }
                throw fault("here a ) was expected, not \(shown)")
            }
            try advance()
            return inner
        default:
            return try comparison()
        }
    }

    private mutating func comparison() throws(FilterError) -> FilterExpression {
        let left = try operand()
        switch token {
        case .sign(let sign) where Self.comparisons[sign] != nil:
            try advance()
            return .comparison(left, Self.comparisons[sign] ?? .equal, try operand(takesWords: true))
        case .word(let word) where Self.words[word] != nil:
            try advance()
            return .comparison(left, Self.words[word] ?? .contains, try operand(takesWords: true))
        case .word("matches"):
            try advance()
            return .match(left, try regex())
        case .sign("~"):
            return .match(left, try pattern())
        case .sign("!~"):
            return .not(.match(left, try pattern()))
        default:
            return .truth(left)
        }
    }

    /// What follows `matches`: a regular expression, in quotes if it is not a single word.
    private mutating func regex() throws(FilterError) -> FilterPattern {
        let text: String
        switch token {
        case .string(let string): text = string
        case .word(let word): text = word
        case .number(let number): text = number
        default: throw fault("after matches comes a regular expression in quotes, as in \"^order-\"")
        }
        let regex = try regex(text, ignoresCase: false)
        try advance()
        return regex
    }

    private func regex(_ text: String, ignoresCase: Bool) throws(FilterError) -> FilterPattern {
        do {
            return try FilterPattern(regex: text, ignoresCase: ignoresCase)
        } catch {
            throw fault(error.message)
        }
    }

    /// What follows `~`.
    private mutating func pattern() throws(FilterError) -> FilterPattern {
        try advance(takesRegex: true)
        let pattern: FilterPattern
        switch token {
        case .string(let glob):
            guard let glob = FilterPattern(glob: glob) else {
                throw fault("a glob has at most \(FilterPattern.longestGlob) characters")
            }
            pattern = glob
        case .regex(let text, let ignoresCase):
            pattern = try regex(text, ignoresCase: ignoresCase)
        default:
            throw fault("after ~ comes a glob in quotes, as in \"order-*\", or a regular expression, as in /^order-/")
        }
        try advance()
        return pattern
    }

    // MARK: Operands

    /// - Parameter takesWords: whether a word that names no field is a text.
    private mutating func operand(takesWords: Bool = false) throws(FilterError) -> FilterOperand {
        let literal: FilterOperand
        switch token {
        case .word("true"): literal = .literal(.boolean(true), written: "true")
        case .word("false"): literal = .literal(.boolean(false), written: "false")
        case .word("null"): literal = .literal(.null, written: "null")
        case .number(let number): literal = .literal(.number(number), written: number)
        case .string(let string): literal = .literal(.string(string), written: string)
        case .word(let word) where takesWords && !Self.reserved.contains(word) && FilterPath.Field(word: word) == nil:
            literal = .literal(.string(word), written: word)
        case .word(let word) where !Self.reserved.contains(word):
            return .path(try path(word))
        default:
            throw fault("here a value was expected, such as payload.amount, 100 or \"text\", not \(shown)")
        }
        try advance()
        return literal
    }

    private mutating func path(_ word: String) throws(FilterError) -> FilterPath {
        guard let field = FilterPath.Field(word: word) else {
            let fields = FilterPath.Field.allCases.filter { $0 != .message }.map(\.rawValue).joined(separator: ", ")
            throw fault("'\(word)' is none of \(fields); did you mean payload.\(word), or the text \"\(word)\"?")
        }
        var path = FilterPath(field: field)
        try advance()
        while token == .sign(".") || token == .sign("[") {
            guard field.hasMembers else { throw fault("\(word) has nothing in it; only payload has members") }
            path.steps.append(try step())
        }
        return path
    }

    private mutating func step() throws(FilterError) -> FilterPath.Step {
        let isMember = token == .sign(".")
        try advance(takesName: isMember)
        let step: FilterPath.Step
        switch token {
        case .word(let name) where isMember: step = .member(name)
        case .string(let name): step = .member(name)
        case .number(let number) where !isMember && Int(number) != nil: step = .element(Int(number) ?? 0)
        default:
            throw fault(
                isMember
                    ? "after a dot comes a name; one with other characters is written [\"so\"]"
                    : "between [ and ] comes a number, from 0 or from -1 at the end, or a name in quotes"
            )
        }
        try advance()
        if !isMember {
            guard token == .sign("]") else { throw fault("here a ] was expected, not \(shown)") }
            try advance()
        }
        return step
    }
}
