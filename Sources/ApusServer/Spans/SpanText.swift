import ApusProtocol
import NIOCore

/// Writes pieces of JSON one after another into memory that was reserved for all of them.
struct SpanText {
    private let memory: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    fileprivate init(_ memory: UnsafeMutableRawBufferPointer) {
        self.memory = memory
    }

    @inline(__always)
    mutating func put(_ text: StaticString) {
        put(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    @inline(__always)
    mutating func put(_ bytes: UnsafeRawBufferPointer) {
        UnsafeMutableRawBufferPointer(rebasing: memory[count..<count + bytes.count]).copyMemory(from: bytes)
        count += bytes.count
    }

    /// In decimal.
    mutating func put(_ number: UInt64) {
        DecimalText(number).withBytes { put($0) }
    }

    /// The id of a trace, in hexadecimal digits.
    mutating func put(traceOf context: TraceContext) {
        context.writeTrace(to: memory, at: count)
        count += 32
    }

    /// The id of a span, in hexadecimal digits.
    mutating func put(span id: UInt64) {
        TraceContext.writeHex(id, digits: 16, to: memory, at: count)
        count += 16
    }
}

extension ByteBuffer {
    /// Appends what `write` writes: at most `size` bytes.
    mutating func writeSpanText(upTo size: Int, _ write: (inout SpanText) -> Void) {
        writeWithUnsafeMutableBytes(minimumWritableBytes: size) { memory in
            var text = SpanText(memory)
            write(&text)
            return text.count
        }
    }
}
