extension LoadedConfiguration {
    /// The settings as a YAML file, with each setting's source as a comment. Secrets are masked, so fill them in again
    /// before using the file.
    package var yaml: String {
        var lines: [(text: String, source: String?)] = []
        var group: String?
        for setting in Setting.all {
            if setting.group != group, let name = setting.group {
                lines.append(("\(name):", nil))
            }
            group = setting.group
            let indentation = group == nil ? "" : "  "
            lines.append(("\(indentation)\(setting.name): \(setting.show(configuration).yaml)", sources[setting.key]))
        }
        let width = lines.map(\.text.count).max() ?? 0
        return lines.map { text, source in
            guard let source else { return text + "\n" }
            let padding = String(repeating: " ", count: width - text.count)
            return "\(text)\(padding)  # from \(PlainText.escaped(source))\n"
        }.joined()
    }

    /// One JSON object with two members: `settings`, as in a file, and `sources`, by the setting's key.
    package var json: String {
        var members: [(name: String, json: String)] = []
        for setting in Setting.all {
            let json = setting.show(configuration).json
            if let group = setting.group {
                let member = "\(PlainText.quoted(setting.name)): \(json)"
                if let last = members.last, last.name == group {
                    members[members.count - 1].json = "\(last.json.dropLast()), \(member)}"
                } else {
                    members.append((group, "{\(member)}"))
                }
            } else {
                members.append((setting.name, json))
            }
        }
        let origins = Setting.all.map { (name: $0.key, json: PlainText.quoted(sources[$0.key] ?? "default")) }
        return "{\n  \"settings\": \(Self.object(members)),\n  \"sources\": \(Self.object(origins))\n}\n"
    }

    private static func object(_ members: [(name: String, json: String)]) -> String {
        "{\n" + members.map { "    \(PlainText.quoted($0.name)): \($0.json)" }.joined(separator: ",\n") + "\n  }"
    }
}
