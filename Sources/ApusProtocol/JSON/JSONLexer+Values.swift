// Values of which only the end and the kind matter.

extension JSONLexer {
    /// The value that must start at `start` with `byte`, inside `depth` containers.
    @inline(__always)
    func value(at start: Int, startingWith byte: UInt8, depth: Int, maxDepth: Int) throws(JSONError) -> JSONToken {
        guard byte == 0x22 else { return try otherValue(at: start, depth: depth, maxDepth: maxDepth) }
        let string = try endOfString(at: start)
        return JSONToken(kind: string.hasEscapes ? .escapedString : .string, start: start, end: string.end)
    }

    /// A value that is not a string.
    @inline(never)
    private func otherValue(at start: Int, depth: Int, maxDepth: Int) throws(JSONError) -> JSONToken {
        let byte = byte(at: start)
        if byte == 0x7B || byte == 0x5B {
            let end = try endOfContainer(at: start, depth: depth, maxDepth: maxDepth)
            return JSONToken(kind: byte == 0x7B ? .object : .array, start: start, end: end)
        }
        let scalar = try endOfScalar(at: start)
        return JSONToken(kind: scalar.kind, start: start, end: scalar.end)
    }

    /// The end of an object or array. A loop, not a recursion, so no text can exhaust the stack.
    private func endOfContainer(at start: Int, depth: Int, maxDepth: Int) throws(JSONError) -> Int {
        var nesting = JSONNesting()
        var position = start
        var byte = byte(at: start)
        value: while true {
            // Here `byte` is at `position`, and is the first byte of a value or of its key.
            if nesting.isObject {
                position = try endOfColon(after: try endOfString(at: position).end)
                byte = nextByte(at: &position)
            }
            if byte == 0x22 {
                position = try endOfString(at: position).end
            } else if byte == 0x7B || byte == 0x5B {
                guard depth &+ nesting.depth < maxDepth else { throw fault(at: position, .tooDeep) }
                nesting.push(isObject: byte == 0x7B)
                position &+= 1
                byte = nextByte(at: &position)
                guard byte == nesting.closing else { continue value }
                nesting.pop()
                position &+= 1
            } else {
                position = try endOfScalar(at: position).end
            }
            // A value has ended, and perhaps the containers around it.
            while nesting.depth > 0 {
                byte = nextByte(at: &position)
                if byte == 0x2C {
                    position &+= 1
                    byte = nextByte(at: &position)
                    continue value
                }
                guard byte == nesting.closing else { throw fault(at: position) }
                nesting.pop()
                position &+= 1
            }
            return position
        }
    }

    /// The end of the colon after the key that ends at `start`.
    @inline(__always)
    func endOfColon(after start: Int) throws(JSONError) -> Int {
        let colon = skipWhitespace(from: start)
        guard byte(at: colon) == 0x3A else { throw fault(at: colon) }
        return colon &+ 1
    }
}
