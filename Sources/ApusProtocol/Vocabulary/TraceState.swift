/// What the systems along a trace have to say of it: the value of `tracestate` (W3C Trace Context, section 3.3).
///
/// ```
/// rojo=00f067aa0ba902b7,tenant@congo=t61rcWkgMzE
/// ```
/// Nothing here reads it: it goes along with its trace. Text that is none is no error: the trace then has no state.
package struct TraceState: Hashable, Sendable {
    /// The longest text in bytes: as much as everybody has to pass on.
    package static let maximumSize = 512
    private static let (maximumMembers, maximumPart) = (32, 256)

    /// Its members, without blanks around them and without empty ones.
    package let text: String

    /// - Returns: `nil` if this is no `tracestate`, a longer one, or one without members.
    package init?(_ text: String) {
        guard text.utf8.count <= Self.maximumSize else { return nil }
        let members = text.utf8.split(separator: UInt8(ascii: ",")).map(Self.trimmed).filter { !$0.isEmpty }
        guard (1...Self.maximumMembers).contains(members.count) else { return nil }
        var keys: Set<String> = []
        for member in members {
            guard let equals = member.firstIndex(of: UInt8(ascii: "=")) else { return nil }
            let (key, value) = (member[..<equals], member[member.index(after: equals)...])
            guard Self.isKey(key), Self.isValue(value), keys.insert(String(Substring(key))).inserted else { return nil }
        }
        self.text = members.map { String(Substring($0)) }.joined(separator: ",")
    }

    private static func isKey(_ key: Substring.UTF8View) -> Bool {
        guard key.count <= maximumPart, let first = key.first, isLetterOrDigit(first) else { return false }
        return key.allSatisfy { isLetterOrDigit($0) || "_-*/@".utf8.contains($0) }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    /// Of the printable characters of ASCII, a comma and an equals sign are not allowed.
    private static func isValue(_ value: Substring.UTF8View) -> Bool {
        (1...maximumPart).contains(value.count)
            && value.allSatisfy { (0x20...0x7E).contains($0) && $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: "=") }
    }

    private static func trimmed(_ member: Substring.UTF8View) -> Substring.UTF8View {
        func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        var rest = member.drop(while: isBlank)
        while let last = rest.last, isBlank(last) { rest.removeLast() }
        return rest
    }

    /// The text, as a quoted JSON string.
    package var json: [UInt8] { jsonBytes(text) }

    /// The most bytes that ``json`` has.
    package var sizeBound: Int { 2 * text.utf8.count + 2 }
}
