/// Checks whether a whole text is JSON (RFC 8259), with the strict lexer that also reads commands.
package enum JSONDocument {
    /// The deepest nesting that ``isValid(_:)`` accepts.
    package static let maxDepth = JSONNesting.capacity

    /// Checks grammar and UTF-8. Allocates no memory, whatever the text.
    package static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        isValid(bytes, maxDepth: maxDepth)
    }

    /// Also checks that the text nests at most `maxDepth` levels deep.
    package static func isValid(_ bytes: UnsafeRawBufferPointer, maxDepth: Int) -> Bool {
        var validator = UTF8Validator()
        guard let base = bytes.baseAddress, validator.consume(bytes), validator.isComplete else { return false }
        let lexer = JSONLexer(base: base, count: bytes.count)
        var start = 0
        let first = lexer.nextByte(at: &start)
        let depth = min(maxDepth, Self.maxDepth)
        guard let value = try? lexer.value(at: start, startingWith: first, depth: 0, maxDepth: depth) else {
            return false
        }
        return lexer.skipWhitespace(from: value.end) >= bytes.count
    }

    /// What is wrong with a text, and where, as the end of a sentence; `nil` if it is JSON.
    package static func fault(in bytes: UnsafeRawBufferPointer, maxDepth: Int = maxDepth) -> String? {
        guard let base = bytes.baseAddress, !bytes.isEmpty else { return "not valid JSON: it is empty" }
        var validator = UTF8Validator()
        guard validator.consume(bytes), validator.isComplete else { return "not valid UTF-8" }
        let lexer = JSONLexer(base: base, count: bytes.count)
        var start = 0
        let first = lexer.nextByte(at: &start)
        do throws(JSONError) {
            let value = try lexer.value(
                at: start,
                startingWith: first,
                depth: 0,
                maxDepth: min(maxDepth, Self.maxDepth)
            )
            let end = lexer.skipWhitespace(from: value.end)
            if end < bytes.count { throw JSONError(reason: .trailingBytes, offset: end) }
            return nil
        } catch {
            return error.text(of: "value")
        }
    }

    /// The members of a text that is one object, each with the place of its value; `nil` for any other text.
    ///
    /// A member is left out if its name has a lone surrogate: no string is equal to that name.
    package static func members(of bytes: UnsafeRawBufferPointer) -> [(name: String, value: Range<Int>)]? {
        guard isValid(bytes) else { return nil }
        let root = JSONMembers.root(of: bytes)
        guard root.kind == .object, var members = JSONMembers(of: root, in: bytes) else { return nil }
        var all: [(name: String, value: Range<Int>)] = []
        while let (name, value) = members.next() {
            if let name = name.string(in: bytes) { all.append((name, value.range)) }
        }
        return all
    }

    /// The places of the elements of a text that is one array; `nil` for any other text.
    package static func elements(of bytes: UnsafeRawBufferPointer) -> [Range<Int>]? {
        guard isValid(bytes) else { return nil }
        let root = JSONMembers.root(of: bytes)
        guard root.kind == .array, var elements = JSONMembers(of: root, in: bytes) else { return nil }
        var all: [Range<Int>] = []
        while let (_, value) = elements.next() { all.append(value.range) }
        return all
    }

    /// The string that a text is; `nil` if it is something else, or has a lone surrogate.
    package static func string(of bytes: UnsafeRawBufferPointer) -> String? {
        isValid(bytes) ? JSONMembers.root(of: bytes).text?.string(in: bytes) : nil
    }
}
