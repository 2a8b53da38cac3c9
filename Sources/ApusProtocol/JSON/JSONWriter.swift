import NIOCore

/// Writes the members of JSON objects, in the order of the calls.
///
/// For use off the hot path.
package struct JSONWriter {
    private var buffer = ByteBuffer()
    private var needsComma: Bool

    private init(needsComma: Bool) {
        self.needsComma = needsComma
    }

    /// The text of an object.
    package static func object(_ write: (inout JSONWriter) -> Void) -> String {
        var writer = JSONWriter(needsComma: false)
        writer.braced(write)
        return String(buffer: writer.buffer)
    }

    /// The text of members that follow others: each begins with a comma.
    package static func moreMembers(_ write: (inout JSONWriter) -> Void) -> String {
        var writer = JSONWriter(needsComma: true)
        write(&writer)
        return String(buffer: writer.buffer)
    }

    package mutating func member(_ name: StaticString, _ value: String) {
        begin(name)
        appendJSONString(value, to: &buffer)
    }

    package mutating func member(_ name: StaticString, _ value: some BinaryInteger) {
        member(name, json: "\(value)")
    }

    package mutating func member(_ name: StaticString, _ value: Bool) {
        member(name, json: value ? "true" : "false")
    }

    /// A value that is JSON already.
    package mutating func member(_ name: StaticString, json: String) {
        begin(name)
        buffer.writeString(json)
    }

    /// A range of offsets: `{"from":42,"to":57}`.
    package mutating func member(_ name: StaticString, _ range: ClosedRange<some BinaryInteger>) {
        object(name) { writer in
            writer.member("from", range.lowerBound)
            writer.member("to", range.upperBound)
        }
    }

    package mutating func object(_ name: StaticString, _ write: (inout JSONWriter) -> Void) {
        begin(name)
        braced(write)
    }

    package mutating func array<Element>(
        _ name: StaticString,
        of elements: [Element],
        _ write: (inout JSONWriter, Element) -> Void
    ) {
        begin(name)
        buffer.writeStaticString("[")
        for (index, element) in elements.enumerated() {
            if index > 0 { buffer.writeStaticString(",") }
            braced { write(&$0, element) }
        }
        buffer.writeStaticString("]")
    }

    /// Writes the name, which must need no escapes.
    private mutating func begin(_ name: StaticString) {
        buffer.writeStaticString(needsComma ? ",\"" : "\"")
        buffer.writeStaticString(name)
        buffer.writeStaticString("\":")
        needsComma = true
    }

    private mutating func braced(_ write: (inout JSONWriter) -> Void) {
        buffer.writeStaticString("{")
        needsComma = false
        write(&self)
        buffer.writeStaticString("}")
        needsComma = true
    }
}
