/// Why a text is not JSON that Apus takes, and where.
struct JSONFault: Error, Equatable {
    enum Reason: UInt8 {
        case unexpectedByte, unexpectedEnd, controlCharacter, invalidEscape, invalidNumber, trailingBytes, tooDeep
    }

    var reason: Reason
    /// The byte at fault, counted from 0.
    var offset: Int
}

/// Reads JSON tokens (RFC 8259), strictly.
///
/// Every read of one byte is bounded by `count` and gives 0 past the end: 0 is nothing that JSON allows anywhere, so the
/// end needs no check of its own until an error is reported. Reads of eight bytes happen only where eight are left.
struct JSONLexer: ~Copyable {
    let base: UnsafeRawPointer
    let count: Int
    var position = 0

    init(base: UnsafeRawPointer, count: Int) {
        self.base = base
        self.count = count
    }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

    /// The byte at `position`; 0 at the end.
    @inline(__always)
    var current: UInt8 { byte(at: position) }

    @inline(__always)
    func byte(at index: Int) -> UInt8 {
        index < count ? base.load(fromByteOffset: index, as: UInt8.self) : 0
    }

    @inline(__always)
    mutating func skipWhitespace() {
        while true {
            let byte = current
            guard byte <= 0x20, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return }
            position &+= 1
        }
    }

    /// Takes `byte`, or throws.
    @inline(__always)
    mutating func expect(_ byte: UInt8) throws(JSONFault) {
        guard current == byte else { throw unexpected() }
        position &+= 1
    }

    /// The fault of a byte that cannot stand at `position`, or of a text that ends there.
    @inline(never)
    func unexpected(_ reason: JSONFault.Reason = .unexpectedByte) -> JSONFault {
        JSONFault(reason: position < count ? reason : .unexpectedEnd, offset: position)
    }

    /// Takes a string, whose opening quote is the current byte; returns whether it has escapes.
    @inline(__always)
    mutating func string() throws(JSONFault) -> Bool {
        position = endOfPlainText(from: position &+ 1)
        guard current != 0x22 else {
            position &+= 1
            return false
        }
        try restOfString()
        return true
    }

    /// Takes the rest of a string from its first byte that is not plain.
    @inline(never)
    private mutating func restOfString() throws(JSONFault) {
        while current != 0x22 {
            guard current == 0x5C else { throw unexpected(.controlCharacter) }
            try escape()
            position = endOfPlainText(from: position)
        }
        position &+= 1
    }

    /// The next quote, backslash or control character at or after `start`, or the end.
    @inline(__always)
    private func endOfPlainText(from start: Int) -> Int {
        // Most strings are names: those end here, without a loop.
        if start &+ 8 <= count {
            let marks = ByteWord.stringStops(in: ByteWord.load(base, at: start))
            if marks != 0 { return start &+ ByteWord.bytesBefore(marks) }
        }
        return Self.endOfPlainText(base, from: start, count: count)
    }

    @inline(never)
    private static func endOfPlainText(_ base: UnsafeRawPointer, from start: Int, count: Int) -> Int {
        var position = start
        while position &+ 8 <= count {
            let marks = ByteWord.stringStops(in: ByteWord.load(base, at: position))
            guard marks == 0 else { return position &+ ByteWord.bytesBefore(marks) }
            position &+= 8
        }
        while position < count {
            let byte = base.load(fromByteOffset: position, as: UInt8.self)
            guard byte >= 0x20, byte != 0x22, byte != 0x5C else { break }
            position &+= 1
        }
        return position
    }

    /// Takes an escape, whose backslash is the current byte.
    private mutating func escape() throws(JSONFault) {
        position &+= 1
        switch current {
        case 0x22, 0x5C, 0x2F, 0x62, 0x66, 0x6E, 0x72, 0x74:
            position &+= 1
        case 0x75:
            position &+= 1
            for _ in 0..<4 {
                switch current {
                case 0x30...0x39, 0x41...0x46, 0x61...0x66: position &+= 1
                default: throw unexpected(.invalidEscape)
                }
            }
        default:
            throw unexpected(.invalidEscape)
        }
    }

    /// Takes a number, whose sign or first digit is the current byte; returns whether it is written as an integer.
    mutating func number() throws(JSONFault) -> Bool {
        if current == 0x2D { position &+= 1 }
        if current == 0x30 {
            position &+= 1
            // A digit here would be a leading zero; left alone, it would be reported as a stray byte anyway.
            if isDigit(current) { throw unexpected(.invalidNumber) }
        } else {
            try digits()
        }
        var isInteger = true
        if current == 0x2E {
            isInteger = false
            position &+= 1
            try digits()
        }
        if current | 0x20 == 0x65 {
            isInteger = false
            position &+= 1
            if current == 0x2B || current == 0x2D { position &+= 1 }
            try digits()
        }
        return isInteger
    }

    /// Takes one digit or more.
    @inline(__always)
    private mutating func digits() throws(JSONFault) {
        guard isDigit(current) else { throw unexpected(.invalidNumber) }
        repeat { position &+= 1 } while isDigit(current)
    }

    @inline(__always)
    private func isDigit(_ byte: UInt8) -> Bool {
        byte &- 0x30 < 10
    }

    /// Takes `true`, `false` or `null`.
    mutating func literal(_ word: StaticString) throws(JSONFault) {
        for index in 0..<word.utf8CodeUnitCount {
            try expect(word.utf8Start[index])
        }
    }
}

extension JSONFault: CustomStringConvertible {
    /// What a client is told.
    var description: String {
        switch reason {
        case .unexpectedByte: "not valid JSON: unexpected character at byte \(offset)"
        case .unexpectedEnd: "not valid JSON: it ends too early, at byte \(offset)"
        case .controlCharacter: "not valid JSON: a control character in a string must be escaped, at byte \(offset)"
        case .invalidEscape: "not valid JSON: no such escape in a string, at byte \(offset)"
        case .invalidNumber: "not valid JSON: malformed number at byte \(offset)"
        case .trailingBytes: "not valid JSON: something follows the command, at byte \(offset)"
        case .tooDeep: "nested too deep, at byte \(offset)"
        }
    }
}
