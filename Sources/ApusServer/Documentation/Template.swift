/// A text with placeholders such as `{{version}}`.
struct Template {
    enum Value {
        case text(String)
        /// JSON that takes the place of the string `"{{name}}"`, with its quotes. So a template of JSON is JSON itself.
        case json(String)
    }

    let text: String

    init(_ text: String) {
        self.text = text
    }

    /// The text with the values in place of their placeholders. A placeholder without a value stays.
    func filled(with values: [String: Value]) -> String {
        var result = ""
        var rest = text[...]
        while let start = rest.firstRange(of: "{{"), let end = rest[start.upperBound...].firstRange(of: "}}") {
            result += rest[..<start.lowerBound]
            var after = rest[end.upperBound...]
            switch values[String(rest[start.upperBound..<end.lowerBound])] {
            case .text(let value):
                result += value
            case .json(let value):
                if result.hasSuffix("\""), after.hasPrefix("\"") {
                    result.removeLast()
                    after = after.dropFirst()
                }
                result += value
            case nil:
                result += rest[start.lowerBound..<end.upperBound]
            }
            rest = after
        }
        return result + rest
    }

    /// One JSON object with the members of several.
    static func merged(_ objects: [String]) -> String {
        let members = objects.compactMap { text -> Substring? in
            guard let start = text.firstIndex(of: "{"), let end = text.lastIndex(of: "}") else { return nil }
            return text[text.index(after: start)..<end]
        }
        return "{" + members.joined(separator: ",") + "}"
    }
}
