/// The only pass over a command's text. Checks that all of it is JSON, and records where the known fields are.
///
/// It does what ``JSONDocument/isValid(_:)`` and then `JSONMembers` would do in two passes: every publish takes this
/// way.
///
/// ```
/// {"type":"publish", "message":{"id":"…","payload":[…]}}
///  └ the command's members      └ those of `message`; deeper is only checked
/// ```
struct CommandReader {
    let lexer: JSONLexer
    let maxDepth: Int

    @inline(__always)
    init(base: UnsafeRawPointer, count: Int, maxDepth: Int) {
        self.lexer = JSONLexer(base: base, count: count)
        self.maxDepth = maxDepth
    }

    /// Reads the text to its end and records the known fields in `fields`. Returns the kind of the outermost value.
    @inline(__always)
    func read(into fields: inout CommandFields) throws(JSONError) -> JSONToken.Kind {
        var start = 0
        let byte = lexer.nextByte(at: &start)
        var token = JSONToken(kind: .object, start: start, end: start)
        if byte == 0x7B {
            token.end = try endOfCommand(at: start, into: &fields)
        } else {
            token = try lexer.value(at: start, startingWith: byte, depth: 0, maxDepth: maxDepth)
        }
        if token.end < lexer.count {
            let end = lexer.skipWhitespace(from: token.end)
            guard end >= lexer.count else { throw lexer.fault(at: end, .trailingBytes) }
        }
        return token.kind
    }

    /// Reads the object whose brace is at `start`, and its `message`. One loop handles both, because the work is the
    /// same.
    @inline(__always)
    private func endOfCommand(at start: Int, into fields: inout CommandFields) throws(JSONError) -> Int {
        guard maxDepth > 0 else { throw lexer.fault(at: start, .tooDeep) }
        var level = Level.command
        var position = start &+ 1
        if lexer.nextByte(at: &position) == 0x7D { return position &+ 1 }
        member: while true {
            let key = try key(at: position, level: level)
            position = key.end
            var byte = lexer.nextByte(at: &position)
            if key.field == .message {
                // An earlier `message` of the same command no longer counts, and neither do its members.
                fields.messageID.kind = .absent
                fields.payload.kind = .absent
            }
            if byte == 0x7B, key.field == .message {
                guard maxDepth > 1 else { throw lexer.fault(at: position, .tooDeep) }
                fields.message = JSONToken(kind: .object, start: position, end: position)
                level = .message
                position &+= 1
                byte = lexer.nextByte(at: &position)
                if byte != 0x7D { continue member }
            } else {
                let token = try value(at: position, startingWith: byte, of: key.field, level: level)
                fields.set(key.field, to: token)
                position = token.end
                byte = lexer.nextByte(at: &position)
            }
            // A member has ended, and perhaps `message` and the command with it.
            while byte == 0x7D {
                position &+= 1
                if level == .command { return position }
                level = .command
                fields.message.end = position
                byte = lexer.nextByte(at: &position)
            }
            guard byte == 0x2C else { throw lexer.fault(at: position) }
            position &+= 1
        }
    }

    @inline(__always)
    private func value(
        at start: Int,
        startingWith byte: UInt8,
        of field: CommandField,
        level: Level
    ) throws(JSONError) -> JSONToken {
        // A well-formed id need not be scanned twice.
        if field == .messageID, let end = UUIDText.endOfQuoted(at: start, in: lexer) {
            return JSONToken(kind: .uuid, start: start, end: end)
        }
        return try lexer.value(at: start, startingWith: byte, depth: level.rawValue, maxDepth: maxDepth)
    }

    /// The object whose members are being read. The raw value is the number of open containers.
    private enum Level: Int {
        case command = 1
        case message = 2
    }

    /// The field named by the key at `start` or after whitespace there, and the end of its colon.
    @inline(__always)
    private func key(at start: Int, level: Level) throws(JSONError) -> (field: CommandField, end: Int) {
        if let bytes = lexer.sixteenBytes(at: start),
            let key = WrittenKey.first(in: bytes, isOfMessage: level == .message)
        {
            return (key.field, start &+ key.size)
        }
        return try anyKey(at: start, level: level)
    }

    @inline(never)
    private func anyKey(at start: Int, level: Level) throws(JSONError) -> (field: CommandField, end: Int) {
        let start = lexer.skipWhitespace(from: start)
        let key = try lexer.endOfString(at: start)
        let text = JSONStringSpan(token: start, end: key.end, hasEscapes: key.hasEscapes)
        let name = ShortName(text, in: lexer)
        let field = level == .command ? CommandField(command: name) : CommandField(message: name)
        return (field, try lexer.endOfColon(after: key.end))
    }
}
