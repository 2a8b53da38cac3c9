/// A JSON text as a tree, for texts that are read once, such as a configuration.
package indirect enum JSONValue: Sendable {
    case null
    case boolean(Bool)
    /// As written in the text.
    case number(String)
    case string(String)
    case array([JSONValue])
    /// In the order of the text. A name may occur twice.
    case object([(name: String, value: JSONValue)])

    /// Parses a text.
    ///
    /// Returns `nil` if the text is not JSON (RFC 8259), nests deeper than `maxDepth`, or contains a string that is not
    /// Unicode. Takes time in proportion to the size of the text times its depth.
    package init?(_ text: String, maxDepth: Int = 64) {
        var text = text
        let value = text.withUTF8 { utf8 -> JSONValue? in
            let bytes = UnsafeRawBufferPointer(utf8)
            guard JSONDocument.isValid(bytes, maxDepth: maxDepth) else { return nil }
            return JSONValue(JSONMembers.root(of: bytes), in: bytes)
        }
        guard let value else { return nil }
        self = value
    }

    private init?(_ token: JSONToken, in bytes: UnsafeRawBufferPointer) {
        switch token.kind {
        case .absent: return nil
        case .null: self = .null
        case .boolean: self = .boolean(bytes[token.start] == UInt8(ascii: "t"))
        case .integer, .fraction: self = .number(String(decoding: bytes[token.range], as: UTF8.self))
        case .string, .escapedString, .uuid:
            guard let text = token.text?.string(in: bytes) else { return nil }
            self = .string(text)
        case .array, .object:
            guard var members = JSONMembers(of: token, in: bytes) else { return nil }
            var all: [(name: String, value: JSONValue)] = []
            while let (name, token) = members.next() {
                guard let name = name.string(in: bytes), let value = JSONValue(token, in: bytes) else { return nil }
                all.append((name, value))
            }
            self = token.kind == .object ? .object(all) : .array(all.map(\.value))
        }
    }
}
