import Yams

/// The lines of a file at which its settings and groups of settings are, by their keys, such as `topics.on_delete`.
struct ConfigurationLines {
    private var lines: [String: Int] = [:]

    /// - Parameter text: a file that was parsed already. JSON that is no YAML has no lines.
    init(_ text: String) {
        guard let root = try? Yams.Parser(yaml: text).singleRoot() else { return }
        note(root, group: nil)
    }

    /// The line of a key, counted from 1; `nil` for a key that is not there or is nested deeper than a group.
    subscript(key: String) -> Int? { lines[key] }

    private mutating func note(_ node: Node, group: String?) {
        guard case .mapping(let mapping) = node else { return }
        for (name, value) in mapping {
            guard let text = name.string else { continue }
            let key = group.map { "\($0).\(text)" } ?? text
            if let mark = name.mark { lines[key] = mark.line }
            if group == nil { note(value, group: key) }
        }
    }
}
