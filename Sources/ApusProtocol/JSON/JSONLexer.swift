/// Finds the ends of JSON tokens (RFC 8259), strictly.
///
/// It holds no position. Every method takes one and returns one, so that a caller's loop can keep it in a register.
///
/// Reading a byte past the end gives 0. JSON allows 0 nowhere, so the end needs no separate check until an error is
/// reported. Reads of eight or sixteen bytes happen only where that many bytes are left.
struct JSONLexer {
    let base: UnsafeRawPointer
    let count: Int

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

    /// The byte at `position`; 0 at the end.
    @inline(__always)
    func byte(at position: Int) -> UInt8 {
        position < count ? base.load(fromByteOffset: position, as: UInt8.self) : 0
    }

    /// The next sixteen bytes, the first one lowest; `nil` if fewer are left.
    @inline(__always)
    func sixteenBytes(at position: Int) -> UInt128? {
        guard position &+ 16 <= count else { return nil }
        return UInt128(littleEndian: base.loadUnaligned(fromByteOffset: position, as: UInt128.self))
    }

    /// The error for a byte that is not allowed at `position`, or for a text that ends there.
    @inline(never)
    func fault(at position: Int, _ reason: JSONError.Reason = .unexpectedByte) -> JSONError {
        JSONError(reason: position < count ? reason : .unexpectedEnd, offset: position)
    }

    @inline(__always)
    func skipWhitespace(from start: Int) -> Int {
        byte(at: start) > 0x20 ? start : endOfWhitespace(from: start)
    }

    /// Moves `position` past whitespace, and returns the byte there; 0 at the end.
    @inline(__always)
    func nextByte(at position: inout Int) -> UInt8 {
        let next = byte(at: position)
        guard next <= 0x20 else { return next }
        position = endOfWhitespace(from: position)
        return byte(at: position)
    }

    @inline(never)
    private func endOfWhitespace(from start: Int) -> Int {
        var position = start
        while true {
            switch byte(at: position) {
            case 0x20, 0x0A, 0x0D, 0x09: position &+= 1
            default: return position
            }
        }
    }

    /// The end of a string with its quotes that must start at `start`, and whether it has escapes.
    @inline(__always)
    func endOfString(at start: Int) throws(JSONError) -> (end: Int, hasEscapes: Bool) {
        guard byte(at: start) == 0x22 else { throw fault(at: start) }
        let stop = endOfPlainText(from: start &+ 1)
        if byte(at: stop) == 0x22 { return (stop &+ 1, false) }
        return (try endOfEscapedString(from: stop), true)
    }

    /// The end of a string with its quote, from the first byte in it that is not plain.
    @inline(never)
    private func endOfEscapedString(from start: Int) throws(JSONError) -> Int {
        var position = start
        while byte(at: position) != 0x22 {
            guard byte(at: position) == 0x5C else { throw fault(at: position, .controlCharacter) }
            position = endOfPlainText(from: try endOfEscape(at: position))
        }
        return position &+ 1
    }

    /// The next quote, backslash or control character at or after `start`, or the end.
    @inline(__always)
    private func endOfPlainText(from start: Int) -> Int {
        // Most strings are short and end here, without a loop.
        guard start &+ ByteBlock.size <= count else { return endOfLongPlainText(from: start) }
        let marks = ByteBlock.stringStops(in: ByteBlock.load(base, at: start))
        return marks != 0 ? start &+ ByteBlock.bytesBefore(marks) : endOfLongPlainText(from: start &+ ByteBlock.size)
    }

    @inline(never)
    private func endOfLongPlainText(from start: Int) -> Int {
        var position = start
        while position &+ 2 &* ByteBlock.size <= count {
            let first = ByteBlock.stringStops(in: ByteBlock.load(base, at: position))
            let second = ByteBlock.stringStops(in: ByteBlock.load(base, at: position &+ ByteBlock.size))
            guard first | second == 0 else {
                let start = first != 0 ? position : position &+ ByteBlock.size
                return start &+ ByteBlock.bytesBefore(first != 0 ? first : second)
            }
            position &+= 2 &* ByteBlock.size
        }
        if position &+ ByteBlock.size <= count {
            let marks = ByteBlock.stringStops(in: ByteBlock.load(base, at: position))
            guard marks == 0 else { return position &+ ByteBlock.bytesBefore(marks) }
            position &+= ByteBlock.size
        }
        while true {
            let byte = byte(at: position)
            guard byte >= 0x20, byte != 0x22, byte != 0x5C else { return position }
            position &+= 1
        }
    }

    /// The end of the escape whose backslash is at `start`.
    private func endOfEscape(at start: Int) throws(JSONError) -> Int {
        switch byte(at: start &+ 1) {
        case 0x22, 0x5C, 0x2F, 0x62, 0x66, 0x6E, 0x72, 0x74:
            return start &+ 2
        case 0x75:
            for position in start &+ 2..<start &+ 6 {
                switch byte(at: position) {
                case 0x30...0x39, 0x41...0x46, 0x61...0x66: break
                default: throw fault(at: position, .invalidEscape)
                }
            }
            return start &+ 6
        default:
            throw fault(at: start &+ 1, .invalidEscape)
        }
    }

    /// The end and the kind of a number, `true`, `false` or `null` that must start at `start`.
    @inline(never)
    func endOfScalar(at start: Int) throws(JSONError) -> (end: Int, kind: JSONToken.Kind) {
        switch byte(at: start) {
        case 0x2D, 0x30...0x39: return try endOfNumber(at: start)
        case 0x74: return (try endOfLiteral(at: start, "true"), .boolean)
        case 0x66: return (try endOfLiteral(at: start, "false"), .boolean)
        case 0x6E: return (try endOfLiteral(at: start, "null"), .null)
        default: throw fault(at: start)
        }
    }

    @inline(__always)
    private func endOfNumber(at start: Int) throws(JSONError) -> (end: Int, kind: JSONToken.Kind) {
        var position = byte(at: start) == 0x2D ? start &+ 1 : start
        if byte(at: position) == 0x30 {
            position &+= 1
            // A leading zero. Without this check it would be reported as a stray digit.
            if isDigit(at: position) { throw fault(at: position, .invalidNumber) }
        } else {
            position = try endOfDigits(at: position)
        }
        var kind = JSONToken.Kind.integer
        if byte(at: position) == 0x2E {
            kind = .fraction
            position = try endOfDigits(at: position &+ 1)
        }
        if byte(at: position) | 0x20 == 0x65 {
            kind = .fraction
            let sign = byte(at: position &+ 1)
            position = try endOfDigits(at: position &+ (sign == 0x2B || sign == 0x2D ? 2 : 1))
        }
        return (position, kind)
    }

    /// The end of a run of digits, which must contain at least one.
    @inline(__always)
    private func endOfDigits(at start: Int) throws(JSONError) -> Int {
        guard isDigit(at: start) else { throw fault(at: start, .invalidNumber) }
        var position = start
        repeat { position &+= 1 } while isDigit(at: position)
        return position
    }

    @inline(__always)
    private func isDigit(at position: Int) -> Bool {
        byte(at: position) &- 0x30 < 10
    }

    private func endOfLiteral(at start: Int, _ word: StaticString) throws(JSONError) -> Int {
        for index in 0..<word.utf8CodeUnitCount where byte(at: start &+ index) != word.utf8Start[index] {
            throw fault(at: start &+ index)
        }
        return start &+ word.utf8CodeUnitCount
    }
}
