/// The place of a message in a trace: the value of `traceparent` (W3C Trace Context, section 3.2).
///
/// ```
/// 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
/// version       trace id                  span id      flags
/// ```
/// Text that is none is no error: the message then has no trace, as that standard says.
package struct TraceContext: Hashable, Sendable {
    /// The length of its text in bytes.
    package static let textSize = 55
    /// The flags that have a meaning in version 00: sampled, and that the trace id is random.
    private static let (sampled, known): (UInt8, UInt8) = (1, 0b11)
    /// What is between the text and the state in ``json``.
    private static let stateName = Array(#","tracestate":"#.utf8)

    /// Not 0.
    package var traceID: UInt128
    /// Not 0.
    package var spanID: UInt64
    package var flags: UInt8
    /// What came along as `tracestate`.
    package var state: TraceState?

    package init(traceID: UInt128, spanID: UInt64, flags: UInt8, state: TraceState? = nil) {
        self.traceID = traceID
        self.spanID = spanID
        self.flags = flags
        self.state = state
    }

    /// Where the trace goes on with a span below this one.
    package func next(_ spanID: UInt64) -> TraceContext {
        TraceContext(traceID: traceID, spanID: spanID, flags: flags, state: state)
    }

    /// Whether who began the trace records it.
    package var isSampled: Bool { flags & Self.sampled != 0 }

    /// - Returns: `nil` if this is no `traceparent`. Of a later version, what version 00 has of it.
    package init?(_ text: some StringProtocol) {
        var text = String(text)
        guard let context = text.withUTF8({ Self(utf8: UnsafeRawBufferPointer($0)) }) else { return nil }
        self = context
    }

    package init?(utf8 bytes: UnsafeRawBufferPointer) {
        let dash = UInt8(ascii: "-")
        guard bytes.count >= Self.textSize, bytes[2] == dash, bytes[35] == dash, bytes[52] == dash,
            let version = Self.number(in: bytes, from: 0, digits: 2), version != 0xFF,
            let high = Self.number(in: bytes, from: 3, digits: 16),
            let low = Self.number(in: bytes, from: 19, digits: 16), high | low != 0,
            let span = Self.number(in: bytes, from: 36, digits: 16), span != 0,
            let flags = Self.number(in: bytes, from: 53, digits: 2)
        else { return nil }
        // A later version may have more behind another dash.
        guard bytes.count == Self.textSize || (version > 0 && bytes[Self.textSize] == dash) else { return nil }
        traceID = UInt128(high) << 64 | UInt128(low)
        spanID = span
        self.flags = UInt8(flags) & Self.known
    }

    /// The value of hexadecimal digits in lower case.
    private static func number(in bytes: UnsafeRawBufferPointer, from start: Int, digits: Int) -> UInt64? {
        var value: UInt64 = 0
        for index in start..<start + digits {
            let byte = bytes[index]
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(byte &- UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt64(byte &- UInt8(ascii: "a") &+ 10)
            default: return nil
            }
        }
        return value
    }

    /// What an event has of it as `trace`: the text as a quoted JSON string, and after it the member `tracestate`, if
    /// there is a state.
    package var json: [UInt8] {
        let text = [UInt8](unsafeUninitializedCapacity: Self.textSize + 2) { output, count in
            let memory = UnsafeMutableRawBufferPointer(output)
            memory[0] = UInt8(ascii: "\"")
            write(to: memory, at: 1)
            memory[Self.textSize + 1] = UInt8(ascii: "\"")
            count = Self.textSize + 2
        }
        return state.map { text + Self.stateName + $0.json } ?? text
    }

    /// The most bytes that ``json`` has.
    package var sizeBound: Int { Self.textSize + 2 + (state.map { Self.stateName.count + $0.sizeBound } ?? 0) }

    /// Reads ``json``.
    package init?(json bytes: UnsafeRawBufferPointer) {
        let end = Self.textSize + 1
        guard bytes.count > end, let context = Self(utf8: UnsafeRawBufferPointer(rebasing: bytes[1..<end])) else {
            return nil
        }
        self = context
        let first = end + 1 + Self.stateName.count + 1
        guard first < bytes.count else { return }
        let range = first..<bytes.count - 1
        let quoted = JSONStringSpan(range: range, hasEscapes: bytes[range].contains(UInt8(ascii: "\\")))
        state = quoted.string(in: bytes).flatMap { TraceState($0) }
    }

    /// Whether these bytes are what ``json`` writes.
    package static func isJSON(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { TraceContext(json: $0)?.json == bytes }
    }

    /// Writes the ``textSize`` bytes of the text.
    private func write(to output: UnsafeMutableRawBufferPointer, at start: Int) {
        let dash = UInt8(ascii: "-")
        Self.writeHex(0, digits: 2, to: output, at: start)
        output[start + 2] = dash
        output[start + 35] = dash
        output[start + 52] = dash
        writeTrace(to: output, at: start + 3)
        Self.writeHex(spanID, digits: 16, to: output, at: start + 36)
        Self.writeHex(UInt64(flags), digits: 2, to: output, at: start + 53)
    }

    /// Writes the 32 digits of the trace id.
    package func writeTrace(to output: UnsafeMutableRawBufferPointer, at start: Int) {
        Self.writeHex(UInt64(truncatingIfNeeded: traceID >> 64), digits: 16, to: output, at: start)
        Self.writeHex(UInt64(truncatingIfNeeded: traceID), digits: 16, to: output, at: start + 16)
    }

    /// Writes the last `digits` hexadecimal digits of a number. By hand, since every id of every span takes this way.
    package static func writeHex(
        _ value: UInt64,
        digits: Int,
        to output: UnsafeMutableRawBufferPointer,
        at start: Int
    ) {
        var rest = value
        for index in stride(from: start + digits - 1, through: start, by: -1) {
            let digit = UInt8(truncatingIfNeeded: rest & 0xF)
            output[index] = digit &+ (digit < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") &- 10)
            rest >>= 4
        }
    }
}

extension TraceContext: CustomStringConvertible {
    package var description: String { Self.text(of: Self.textSize) { write(to: $0, at: 0) } }

    /// The trace id, in 32 digits.
    package var traceText: String { Self.text(of: 32) { writeTrace(to: $0, at: 0) } }

    /// The span id, in 16 digits.
    package var spanText: String { Self.spanText(spanID) }

    package static func spanText(_ id: UInt64) -> String {
        text(of: 16) { writeHex(id, digits: 16, to: $0, at: 0) }
    }

    private static func text(of size: Int, _ write: (UnsafeMutableRawBufferPointer) -> Void) -> String {
        String(unsafeUninitializedCapacity: size) { output in
            write(UnsafeMutableRawBufferPointer(output))
            return size
        }
    }
}
