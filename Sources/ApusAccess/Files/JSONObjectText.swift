import ApusProtocol
import NIOCore

/// Writes a JSON object whose members have any names, such as that of a claim, member by member.
package struct JSONObjectText {
    private var members: [String] = []

    package init() {}

    /// The object as written so far.
    package var object: String { "{" + members.joined(separator: ",") + "}" }

    package mutating func member(_ name: String, _ text: String) {
        member(name, json: Self.string(text))
    }

    package mutating func member(_ name: String, _ texts: [String]) {
        member(name, json: "[" + texts.map(Self.string).joined(separator: ",") + "]")
    }

    /// - Parameter json: a value, which is written as it is.
    package mutating func member(_ name: String, json: String) {
        members.append(Self.string(name) + ":" + json)
    }

    /// A text as a JSON string.
    package static func string(_ text: String) -> String {
        var buffer = ByteBuffer()
        appendJSONString(text, to: &buffer)
        return String(buffer: buffer)
    }
}
