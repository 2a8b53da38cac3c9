import ApusProtocol

/// The text of a file of keys, as `keys_file` names it: `{"keys": [...]}`, in JSON or YAML.
///
/// Changes keep the rest of a YAML file as it is, comments included. They are made line by line; afterwards the text is
/// read again and has to hold just the keys that it should. If it does not, because the file is written in an unusual
/// way, the change fails and nothing is lost.
package struct KeysFile: Sendable {
    package let isJSON: Bool
    package private(set) var text: String
    package private(set) var keys: [APIKey]

    /// Reads a file.
    package init(path: String) throws(AccessError) {
        let text = try StructuredFile.text(of: path)
        try self.init(text: text, isJSON: StructuredFile.isJSON(path: path, text: text))
    }

    package init(text: String, isJSON: Bool) throws(AccessError) {
        self.isJSON = isJSON
        self.text = text
        keys = try Self.keys(in: StructuredFile.value(of: text, isJSON: isJSON))
    }

    /// A file without keys that does not exist yet.
    package static func new(path: String) throws(AccessError) -> KeysFile {
        let isJSON = StructuredFile.isJSON(path: path, text: "")
        return try KeysFile(text: isJSON ? "{\"keys\":[]}\n" : "keys:\n", isJSON: isJSON)
    }

    private static func keys(in root: JSONValue) throws(AccessError) -> [APIKey] {
        switch root {
        case .null: return []
        case .object(let members):
            guard members.allSatisfy({ $0.name == "keys" }), let keys = root["keys"] else {
                throw AccessError(.file, "it has something other than keys")
            }
            return try KeyRing.keys(in: keys)
        default: throw AccessError(.file, "it is not a mapping with keys")
        }
    }

    /// Adds a key at the end.
    package mutating func add(_ key: APIKey) throws(AccessError) {
        // Finds repeated ids and keys, and too many keys.
        _ = try KeyRing(keys + [key])
        let lines = isJSON ? nil : KeysFileLines(text)
        let next = isJSON ? Self.json(keys + [key]) : lines?.adding(Self.entry(key))
        try replace(with: next, keys: keys + [key])
    }

    /// Takes a key out; `false` when there is none of that id.
    package mutating func remove(id: String) throws(AccessError) -> Bool {
        guard let index = keys.firstIndex(where: { $0.id == id }) else { return false }
        var rest = keys
        rest.remove(at: index)
        let next = isJSON ? Self.json(rest) : KeysFileLines(text).removing(index, of: keys.count)
        try replace(with: next, keys: rest)
        return true
    }

    private mutating func replace(with next: String?, keys: [APIKey]) throws(AccessError) {
        guard let next, let file = try? KeysFile(text: next, isJSON: isJSON), file.keys == keys else {
            throw AccessError(.file, "it is written in a way that this command cannot change; change it by hand")
        }
        self = file
    }
}

// MARK: - Writing

extension KeysFile {
    /// An entry as JSON, which is YAML, too.
    package static func entry(_ key: APIKey) -> String {
        var text = JSONObjectText()
        text.member("id", key.id)
        text.member("key_sha256", key.digest.hex)
        if let label = key.label { text.member("label", label) }
        if let expires = key.expires { text.member("expires", "\(Timestamp(milliseconds: expires))") }
        text.member("rights", json: key.rules.json)
        return text.object
    }

    private static func json(_ keys: [APIKey]) -> String {
        guard !keys.isEmpty else { return "{\"keys\":[]}\n" }
        return "{\"keys\":[\n" + keys.map { "  " + entry($0) }.joined(separator: ",\n") + "\n]}\n"
    }
}

extension RuleList {
    /// The rules as JSON.
    package var json: String {
        "["
            + rules.map { rule in
                var text = JSONObjectText()
                if rule.isDeny { text.member("deny", json: "true") }
                text.member("actions", rule.actions.names)
                text.member("topics", rule.topics)
                return text.object
            }.joined(separator: ",") + "]"
    }
}
