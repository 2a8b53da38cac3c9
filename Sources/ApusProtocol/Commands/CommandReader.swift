/// The one pass over a command's text: checks that all of it is JSON, and notes where the known fields are.
///
/// It is a loop, not a recursion, so no text can exhaust the stack. It is not copyable, because the compiler would copy
/// all of it around calls:
///
///     {"type":"publish", "message":{"id":"…","payload":[…]}}
///      └ depth 1: `member`          └ depth 2: `messageMember`, only inside of `message`; deeper is only checked
struct CommandReader: ~Copyable {
    private(set) var fields = CommandFields()
    /// What the whole text is.
    private(set) var kind = JSONToken.Kind.absent

    private var lexer: JSONLexer
    private var nesting = JSONNesting()
    private let maxDepth: Int
    /// The member of the outermost object that is being read, and where its value starts.
    private var member = CommandField.other
    private var memberStart = 0
    /// The same, of `message`.
    private var messageMember = CommandField.other
    private var messageMemberStart = 0

    @inline(__always)
    init(base: UnsafeRawPointer, count: Int, maxDepth: Int) {
        self.lexer = JSONLexer(base: base, count: count)
        self.maxDepth = maxDepth
    }

    /// Reads the text to its end.
    @inline(__always)
    mutating func read() throws(JSONFault) {
        lexer.skipWhitespace()
        repeat {
            if nesting.isObject { try key() }
            var ended = try value()
            while ended != .absent {
                note(ended)
                ended = nesting.depth == 0 ? .absent : try separator()
            }
        } while nesting.depth > 0
        lexer.skipWhitespace()
        guard lexer.position == lexer.count else { throw lexer.unexpected(.trailingBytes) }
    }

    /// Takes a value, or opens a container; the kind of the value that has ended, `absent` when none has.
    @inline(__always)
    private mutating func value() throws(JSONFault) -> JSONToken.Kind {
        switch lexer.current {
        case 0x22:
            return try lexer.string() ? .escapedString : .string
        case 0x7B:
            return try open(isObject: true)
        case 0x5B:
            return try open(isObject: false)
        case 0x2D, 0x30...0x39:
            return try lexer.number() ? .integer : .fraction
        case 0x74:
            try lexer.literal("true")
            return .boolean
        case 0x66:
            try lexer.literal("false")
            return .boolean
        case 0x6E:
            try lexer.literal("null")
            return .null
        default:
            throw lexer.unexpected()
        }
    }

    /// Opens a container; its kind when it is empty, and so has ended.
    @inline(__always)
    private mutating func open(isObject: Bool) throws(JSONFault) -> JSONToken.Kind {
        guard nesting.depth < maxDepth else { throw lexer.unexpected(.tooDeep) }
        lexer.position &+= 1
        lexer.skipWhitespace()
        if lexer.current == (isObject ? 0x7D : 0x5D) {
            lexer.position &+= 1
            return isObject ? .object : .array
        }
        nesting.push(isObject: isObject)
        return .absent
    }

    /// Takes what follows a value: a comma or the end of the container.
    ///
    /// The kind of the container when it has ended, `absent` when a value follows.
    @inline(__always)
    private mutating func separator() throws(JSONFault) -> JSONToken.Kind {
        lexer.skipWhitespace()
        let isObject = nesting.isObject
        switch lexer.current {
        case 0x2C:
            lexer.position &+= 1
            lexer.skipWhitespace()
            return .absent
        case isObject ? 0x7D : 0x5D:
            lexer.position &+= 1
            nesting.pop()
            return isObject ? .object : .array
        default:
            throw lexer.unexpected()
        }
    }

    /// Takes a key and the colon after it.
    @inline(__always)
    private mutating func key() throws(JSONFault) {
        guard lexer.current == 0x22 else { throw lexer.unexpected() }
        let start = lexer.position &+ 1
        let hasEscapes = try lexer.string()
        let name = JSONText(range: Range(uncheckedBounds: (start, lexer.position &- 1)), hasEscapes: hasEscapes)
        lexer.skipWhitespace()
        try lexer.expect(0x3A)
        lexer.skipWhitespace()
        if nesting.depth == 1 {
            member = Self.field(named: name, in: lexer.bytes, ofMessage: false)
            memberStart = lexer.position
            if member == .message {
                // An earlier `message` of the same command no longer counts, and neither do its members.
                messageMember = .other
                fields.messageID = .absent
                fields.payload = .absent
            }
        } else if nesting.depth == 2, member == .message {
            messageMember = Self.field(named: name, in: lexer.bytes, ofMessage: true)
            messageMemberStart = lexer.position
        }
    }

    /// The known field that a key names.
    @inline(__always)
    private static func field(
        named name: JSONText,
        in bytes: UnsafeRawBufferPointer,
        ofMessage: Bool
    ) -> CommandField {
        if name.hasEscapes { return field(escaped: name, in: bytes, ofMessage: ofMessage) }
        guard let base = bytes.baseAddress, name.range.count <= ShortName.longest else { return .other }
        let length = name.range.count
        let short = ShortName(base, from: name.range.lowerBound, length: length, readable: bytes.count)
        return ofMessage ? CommandField(message: short, length: length) : CommandField(command: short, length: length)
    }

    @inline(never)
    private static func field(
        escaped name: JSONText,
        in bytes: UnsafeRawBufferPointer,
        ofMessage: Bool
    ) -> CommandField {
        // A byte is written with six at most, so a longer key is none of ours and need not be decoded.
        guard name.range.count <= 6 * ShortName.longest, var text = name.string(in: bytes) else { return .other }
        return text.withUTF8 { utf8 in
            let plain = JSONText(range: utf8.indices, hasEscapes: false)
            return field(named: plain, in: UnsafeRawBufferPointer(utf8), ofMessage: ofMessage)
        }
    }

    /// Notes a value that has ended, if it is one of a known field.
    @inline(__always)
    private mutating func note(_ ended: JSONToken.Kind) {
        switch nesting.depth {
        case 0:
            kind = ended
        case 1:
            fields.set(member, to: JSONToken(kind: ended, start: memberStart, end: lexer.position))
        case 2 where member == .message:
            fields.set(messageMember, to: JSONToken(kind: ended, start: messageMemberStart, end: lexer.position))
        default:
            break
        }
    }
}
