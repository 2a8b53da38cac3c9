/// A JSON string inside a scanned text, not yet decoded.
public struct JSONStringSpan: Sendable, Equatable {
    /// The content, without the quotes.
    public var range: Range<Int>
    public var hasEscapes: Bool

    public init(range: Range<Int>, hasEscapes: Bool) {
        self.range = range
        self.hasEscapes = hasEscapes
    }

    package static var empty: JSONStringSpan { JSONStringSpan(range: 0..<0, hasEscapes: false) }
}

extension JSONStringSpan {
    /// The string with its escapes decoded; `nil` when it contains a lone surrogate and is not valid Unicode.
    ///
    /// `bytes` must be the text that was scanned.
    public func string(in bytes: UnsafeRawBufferPointer) -> String? {
        precondition(range.upperBound <= bytes.count, "the text is not the one that was scanned")
        guard hasEscapes else {
            return String(decoding: UnsafeRawBufferPointer(rebasing: bytes[range]), as: UTF8.self)
        }
        // Every escape is longer than the bytes that it stands for.
        let decoded = [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
            count = decode(bytes, into: buffer) ?? 0
        }
        // An escape stands for at least one byte, so an empty result means that decoding failed.
        return decoded.isEmpty ? nil : String(decoding: decoded, as: UTF8.self)
    }

    /// The size of the decoded string in bytes of UTF-8; `nil` when it contains a lone surrogate.
    func decodedLength(in bytes: UnsafeRawBufferPointer) -> Int? {
        hasEscapes ? decode(bytes, into: nil) : range.count
    }

    /// Decodes into `output` if there is one, and counts the bytes; `nil` at a lone surrogate.
    private func decode(_ bytes: UnsafeRawBufferPointer, into output: UnsafeMutableBufferPointer<UInt8>?) -> Int? {
        var length = 0
        var position = range.lowerBound
        while position < range.upperBound {
            let byte = bytes[position]
            guard byte == 0x5C else {
                output?[length] = byte
                length += 1
                position += 1
                continue
            }
            guard let scalar = Self.scalar(of: bytes, at: &position, end: range.upperBound) else { return nil }
            for unit in UTF8.encode(scalar) ?? UTF8.EncodedScalar() {
                output?[length] = unit
                length += 1
            }
        }
        return length
    }

    /// Decodes the escape whose backslash is at `position`; `nil` for a lone surrogate.
    private static func scalar(of bytes: UnsafeRawBufferPointer, at position: inout Int, end: Int) -> Unicode.Scalar? {
        guard position + 1 < end else { return nil }
        let letter = bytes[position + 1]
        guard letter == UInt8(ascii: "u") else {
            position += 2
            switch letter {
            case UInt8(ascii: "b"): return "\u{8}"
            case UInt8(ascii: "f"): return "\u{C}"
            case UInt8(ascii: "n"): return "\n"
            case UInt8(ascii: "r"): return "\r"
            case UInt8(ascii: "t"): return "\t"
            default: return Unicode.Scalar(letter)
            }
        }
        guard let first = unit(of: bytes, at: position, end: end) else { return nil }
        position += 6
        guard UTF16.isLeadSurrogate(first) else { return Unicode.Scalar(first) }
        guard let second = unit(of: bytes, at: position, end: end), UTF16.isTrailSurrogate(second) else { return nil }
        position += 6
        return UTF16.decode(UTF16.EncodedScalar([first, second]))
    }

    /// The UTF-16 code unit written as `\uXXXX` at `position`; `nil` for any other text.
    private static func unit(of bytes: UnsafeRawBufferPointer, at position: Int, end: Int) -> UInt16? {
        guard position + 6 <= end, bytes[position] == 0x5C, bytes[position + 1] == UInt8(ascii: "u") else { return nil }
        var unit: UInt16 = 0
        for digit in bytes[position + 2..<position + 6] {
            // '0'…'9' have their value in the low four bits. For letters of both cases, the low bits are 9 below the
            // value.
            unit = unit << 4 | UInt16(digit & 0x0F) + (digit > 0x39 ? 9 : 0)
        }
        return unit
    }
}
