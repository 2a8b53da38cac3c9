/// The one pass over a command's text: checks that all of it is JSON, and notes where the known fields are.
///
/// It is a loop, not a recursion, so no text can exhaust the stack:
///
///     {"type":"publish", "message":{"id":"…","payload":[…]}}
///      └ depth 1: `member`          └ depth 2: `messageMember`, only inside of `message`; deeper is only checked
struct CommandReader {
    let lexer: JSONLexer
    let maxDepth: Int

    @inline(__always)
    init(base: UnsafeRawPointer, count: Int, maxDepth: Int) {
        self.lexer = JSONLexer(base: base, count: count)
        self.maxDepth = maxDepth
    }

    /// Reads the text to its end. What it is, and in `fields` where the known ones are.
    @inline(__always)
    func read(into fields: inout CommandFields) throws(JSONFault) -> JSONToken.Kind {
        var nesting = JSONNesting()
        var position = lexer.skipWhitespace(from: 0)
        var kind: JSONToken.Kind
        // The member that is being read, of the outermost object and of `message`, and where its value starts.
        var member = CommandField.other
        var memberStart = 0
        var messageMember = CommandField.other
        var messageMemberStart = 0

        value: while true {
            if nesting.isObject {
                let key = try lexer.endOfString(at: position)
                let name = JSONText(token: position, end: key.end, hasEscapes: key.hasEscapes)
                position = try endOfColon(after: key.end)
                if nesting.depth == 1 {
                    member = Self.field(named: name, in: lexer, level: .command)
                    memberStart = position
                    if member == .message {
                        // An earlier `message` of the same command no longer counts, and neither do its members.
                        messageMember = .other
                        fields.messageID.kind = .absent
                        fields.payload.kind = .absent
                    }
                } else if nesting.depth == 2, member == .message {
                    messageMember = Self.field(named: name, in: lexer, level: .message)
                    messageMemberStart = position
                }
            }
            switch lexer.byte(at: position) {
            case 0x22:
                let string = try lexer.endOfString(at: position)
                (position, kind) = (string.end, string.hasEscapes ? .escapedString : .string)
            case let byte where byte == 0x7B || byte == 0x5B:
                guard nesting.depth < maxDepth else { throw lexer.fault(at: position, .tooDeep) }
                nesting.push(isObject: byte == 0x7B)
                position = lexer.skipWhitespace(from: position &+ 1)
                guard lexer.byte(at: position) == nesting.closing else { continue value }
                (position, kind) = (position &+ 1, nesting.pop())
            default:
                (position, kind) = try lexer.endOfScalar(at: position)
            }
            // A value has ended, and with it, maybe, the containers around it.
            while true {
                if nesting.depth == 1 {
                    fields.set(member, to: JSONToken(kind: kind, start: memberStart, end: position))
                } else if nesting.depth == 2, member == .message {
                    fields.set(messageMember, to: JSONToken(kind: kind, start: messageMemberStart, end: position))
                }
                position = lexer.skipWhitespace(from: position)
                guard nesting.depth > 0 else { break value }
                let byte = lexer.byte(at: position)
                if byte == 0x2C {
                    position = lexer.skipWhitespace(from: position &+ 1)
                    continue value
                }
                guard byte == nesting.closing else { throw lexer.fault(at: position) }
                (position, kind) = (position &+ 1, nesting.pop())
            }
        }
        guard position >= lexer.count else { throw lexer.fault(at: position, .trailingBytes) }
        return kind
    }

    /// Where the value starts whose key ends at `start`.
    @inline(__always)
    private func endOfColon(after start: Int) throws(JSONFault) -> Int {
        let colon = lexer.skipWhitespace(from: start)
        guard lexer.byte(at: colon) == 0x3A else { throw lexer.fault(at: colon) }
        return lexer.skipWhitespace(from: colon &+ 1)
    }

    private enum Level {
        case command, message
    }

    /// The known field that a key names.
    @inline(__always)
    private static func field(named name: JSONText, in lexer: JSONLexer, level: Level) -> CommandField {
        name.hasEscapes
            ? field(escaped: name, in: lexer.bytes, level: level)
            : field(plain: name.range, in: lexer, level: level)
    }

    @inline(__always)
    private static func field(plain range: Range<Int>, in lexer: JSONLexer, level: Level) -> CommandField {
        let length = range.upperBound &- range.lowerBound
        guard length <= ShortName.longest else { return .other }
        let name = ShortName(lexer.base, from: range.lowerBound, length: length, readable: lexer.count)
        switch level {
        case .command: return CommandField(command: name, length: length)
        case .message: return CommandField(message: name, length: length)
        }
    }

    @inline(never)
    private static func field(escaped name: JSONText, in bytes: UnsafeRawBufferPointer, level: Level) -> CommandField {
        // A byte is written with six at most, so a longer key is none of ours and need not be decoded.
        guard name.range.count <= 6 * ShortName.longest, var text = name.string(in: bytes) else { return .other }
        return text.withUTF8 { utf8 in
            guard let base = utf8.baseAddress else { return .other }
            let lexer = JSONLexer(base: UnsafeRawPointer(base), count: utf8.count)
            return field(plain: utf8.indices, in: lexer, level: level)
        }
    }
}
