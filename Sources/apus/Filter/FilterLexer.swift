/// Cuts a condition into tokens.
struct FilterLexer {
    enum Token: Equatable {
        case word(String)
        case number(String)
        case string(String)
        case regex(String, ignoresCase: Bool)
        /// An operator, a bracket, a dot.
        case sign(String)
        case end
    }

    private static let escapes: [Character: Character] = [
        "n": "\n", "t": "\t", "r": "\r", "b": "\u{8}", "f": "\u{C}", "\"": "\"", "'": "'", "\\": "\\", "/": "/",
    ]
    private static let signs: Set = ["==", "!=", "!~", "<=", ">=", "=", "<", ">", "~", "(", ")", "[", "]", "."]
    /// What one writes in other languages.
    private static let others = [
        "&&": "and", "||": "or", "!": "not", "&": "and", "|": "or", "=>": ">=", "=<": "<=", "<>": "!=",
    ]

    private let text: [Character]
    private var position = 0

    init(_ text: String) {
        self.text = Array(text)
    }

    /// The next token and where it begins.
    ///
    /// - Parameters:
    ///   - takesRegex: whether a slash begins a regular expression.
    ///   - takesName: whether digits are a name, as those after a dot.
    mutating func next(
        takesRegex: Bool = false,
        takesName: Bool = false
    ) throws(FilterError) -> (token: Token, column: Int) {
        while position < text.count, text[position].isWhitespace { position += 1 }
        let start = position
        guard position < text.count else { return (.end, start) }
        let first = text[position]
        if Self.beginsWord(first) { return (.word(take(while: Self.isInWord)), start) }
        if takesName, Self.isDigit(first) { return (.word(take(while: Self.isDigit)), start) }
        if Self.isDigit(first) || first == "-" { return (.number(try number()), start) }
        if first == "\"" || first == "'" { return (.string(try string(until: first)), start) }
        if first == "/", takesRegex { return (try regex(), start) }
        for length in [2, 1] {
            let sign = String(text[position...].prefix(length))
            if Self.signs.contains(sign) {
                position += sign.count
                return (.sign(sign), start)
            }
            guard let meant = Self.others[sign] else { continue }
            throw FilterError(message: "'\(sign)' is no operator here; write \(meant)", column: start)
        }
        throw FilterError(message: "'\(first)' has no meaning here", column: start)
    }

    static func beginsWord(_ character: Character) -> Bool {
        character.isLetter || character == "_" || character == "$"
    }

    private static func isInWord(_ character: Character) -> Bool {
        beginsWord(character) || character.isNumber || character == "-"
    }

    private static func isDigit(_ character: Character) -> Bool {
        character.isASCII && character.isNumber
    }

    private mutating func take(while isTaken: (Character) -> Bool) -> String {
        let start = position
        while position < text.count, isTaken(text[position]) { position += 1 }
        return String(text[start..<position])
    }

    /// A number as JSON has it.
    private mutating func number() throws(FilterError) -> String {
        let start = position
        var number = ""
        while position < text.count, Self.isInNumber(text[position], after: number.last) {
            number.append(text[position])
            position += 1
        }
        guard Double(number) != nil, number.last != "." else {
            throw FilterError(message: "'\(number)' is no number", column: start)
        }
        return number
    }

    private static func isInNumber(_ character: Character, after last: Character?) -> Bool {
        switch character {
        case "-", "+": last == nil || last == "e" || last == "E"
        case ".", "e", "E": last.map(isDigit) ?? false
        default: isDigit(character)
        }
    }

    private mutating func string(until quote: Character) throws(FilterError) -> String {
        let start = position
        position += 1
        var string = ""
        while position < text.count {
            let character = text[position]
            position += 1
            if character == quote { return string }
            guard character == "\\" else {
                string.append(character)
                continue
            }
            guard position < text.count else { break }
            string += try escape()
        }
        throw FilterError(message: "the text that begins here has no closing \(quote)", column: start)
    }

    /// What a backslash and the character here stand for. In front of one that JSON does not know it stays, as for a
    /// regular expression or a glob.
    private mutating func escape() throws(FilterError) -> String {
        let start = position - 1
        let character = text[position]
        position += 1
        guard character == "u", let first = unit() else {
            return Self.escapes[character].map(String.init) ?? "\\\(character)"
        }
        var units = [first]
        if UTF16.isLeadSurrogate(first), text[position...].starts(with: "\\u") {
            position += 2
            unit().map { units.append($0) }
        }
        guard let string = String(validating: units, as: UTF16.self) else {
            throw FilterError(message: "this is half a character; the other half is missing", column: start)
        }
        return string
    }

    /// Four hexadecimal digits, if they are here.
    private mutating func unit() -> UInt16? {
        let digits = text[position...].prefix(4)
        guard digits.count == 4, digits.allSatisfy({ $0.isASCII && $0.isHexDigit }) else { return nil }
        position += 4
        return UInt16(String(digits), radix: 16)
    }

    private mutating func regex() throws(FilterError) -> Token {
        let start = position
        position += 1
        var regex = ""
        while position < text.count {
            let character = text[position]
            position += 1
            if character == "/" {
                let flags = take(while: Self.beginsWord)
                guard flags.isEmpty || flags == "i" else {
                    throw FilterError(
                        message: "after a regular expression only i may follow, for any case",
                        column: position - flags.count
                    )
                }
                return .regex(regex, ignoresCase: flags == "i")
            }
            if character == "\\", position < text.count, text[position] == "/" {
                regex.append("/")
                position += 1
            } else if character == "\\", position < text.count {
                regex += "\\\(text[position])"
                position += 1
            } else {
                regex.append(character)
            }
        }
        throw FilterError(message: "the regular expression that begins here has no closing /", column: start)
    }
}
