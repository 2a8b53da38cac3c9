public import NIOCore

/// Writes `text` as a JSON string with quotes (RFC 8259 section 7). Escapes only what must be escaped.
public func appendJSONString(_ text: String, to buffer: inout ByteBuffer) {
    var text = text
    text.withUTF8 { utf8 in
        let bytes = UnsafeRawBufferPointer(utf8)
        buffer.reserveCapacity(minimumWritableBytes: bytes.count + 2)
        buffer.writeInteger(UInt8(ascii: "\""))
        var position = 0
        while true {
            let stop = endOfPlainText(bytes, from: position)
            if position < stop {
                buffer.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[position..<stop]))
            }
            guard stop < bytes.count else { break }
            appendEscape(of: bytes[stop], to: &buffer)
            position = stop + 1
        }
        buffer.writeInteger(UInt8(ascii: "\""))
    }
}

/// `text` as a JSON string with quotes.
public func jsonString(_ text: String) -> String {
    var buffer = ByteBuffer()
    appendJSONString(text, to: &buffer)
    return String(buffer: buffer)
}

/// The same as bytes.
package func jsonBytes(_ text: String) -> [UInt8] {
    var text = text
    let plain: [UInt8]? = text.withUTF8 { utf8 in
        let bytes = UnsafeRawBufferPointer(utf8)
        guard endOfPlainText(bytes, from: 0) == bytes.count else { return nil }
        return [UInt8](unsafeUninitializedCapacity: bytes.count + 2) { output, count in
            let output = UnsafeMutableRawBufferPointer(output)
            output[0] = UInt8(ascii: "\"")
            UnsafeMutableRawBufferPointer(rebasing: output[1...]).copyMemory(from: bytes)
            output[bytes.count + 1] = UInt8(ascii: "\"")
            count = bytes.count + 2
        }
    }
    return plain ?? Array(jsonString(text).utf8)
}

/// The first position at or after `start` whose byte must be escaped, or the end.
private func endOfPlainText(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
    guard let base = bytes.baseAddress else { return 0 }
    var position = start
    while position + 8 <= bytes.count {
        let marks = ByteWord.stringStops(in: ByteWord.load(base, at: position))
        guard marks == 0 else { return position + ByteWord.bytesBefore(marks) }
        position += 8
    }
    while position < bytes.count, bytes[position] >= 0x20, bytes[position] != 0x22, bytes[position] != 0x5C {
        position += 1
    }
    return position
}

private func appendEscape(of byte: UInt8, to buffer: inout ByteBuffer) {
    switch byte {
    case 0x08: buffer.writeStaticString("\\b")
    case 0x09: buffer.writeStaticString("\\t")
    case 0x0A: buffer.writeStaticString("\\n")
    case 0x0C: buffer.writeStaticString("\\f")
    case 0x0D: buffer.writeStaticString("\\r")
    case 0x22: buffer.writeStaticString("\\\"")
    case 0x5C: buffer.writeStaticString("\\\\")
    default:
        let digit = byte & 0x0F
        buffer.writeStaticString(byte < 0x10 ? "\\u000" : "\\u001")
        buffer.writeInteger(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
    }
}
