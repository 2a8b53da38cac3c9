/// A JSON or YAML file of settings: read, parsed, and flattened to keys such as `topics.on_delete`.
///
/// A file may have at most ``maximumSize`` bytes, and at most ``maximumNodes`` nodes after its YAML aliases are
/// expanded.
struct ConfigurationFile {
    static let maximumSize = 1 << 20
    static let maximumNodes = 100_000

    private(set) var values: [String: RawValue] = [:]
    private(set) var warnings: [String] = []
    private let path: String
    private let lines: ConfigurationLines

    /// - Parameter origin: what named the file, such as `flag --config`.
    init(path: String, origin: String) throws(ConfigurationError) {
        func unusable(_ reason: String) -> ConfigurationError {
            ConfigurationError(code: .unusableFile, setting: "config", value: path, source: origin, reason: reason)
        }
        let text: String
        do throws(FileFault) {
            text = try FileText.read(path, limit: Self.maximumSize)
        } catch {
            throw unusable("cannot be read: \(error.reason)")
        }
        let root: FileNode
        do throws(FileFault) {
            root = try Self.isJSON(path: path, text: text) ? .fromJSON(text) : .fromYAML(text)
        } catch {
            throw unusable(error.reason)
        }
        self.path = path
        lines = ConfigurationLines(text)
        switch root {
        case .mapping(let members): try takeMembers(members)
        // The file has only comments.
        case .null: break
        default: throw unusable("is not a mapping of settings to values")
        }
    }

    /// Where a setting comes from: the file, and the line where that is known.
    func source(of key: String) -> String {
        "file \(path)" + (lines[key].map { ":\($0)" } ?? "")
    }

    /// Decides by the file's extension, or else by its first characters.
    private static func isJSON(path: String, text: String) -> Bool {
        switch path.split(separator: ".").last?.lowercased() {
        case "json": true
        case "yaml", "yml": false
        default: text.first { !$0.isWhitespace } == "{"
        }
    }

    private mutating func takeMembers(_ members: [FileNode.Member], group: String? = nil) throws(ConfigurationError) {
        for (name, node) in members {
            let key = group.map { "\($0).\(name)" } ?? name
            if let setting = Setting.named(key) {
                try take(node, for: setting)
            } else if group == nil, Setting.isGroup(key) {
                try takeGroup(node, named: key)
            } else {
                let unknown = UnknownSetting(name: key, known: Setting.all.map(\.key), source: source(of: key))
                try refuseProtection(in: node, of: unknown)
                warnings.append(
                    "unknown key '\(unknown.shownName)' in \(PlainText.escaped(source(of: key)))\(unknown.hint)"
                )
            }
        }
    }

    /// Refuses an unknown key that may be a misspelled security setting. Also checks keys nested in unknown keys,
    /// because a setting at the wrong level has no effect.
    private func refuseProtection(in node: FileNode, of unknown: UnknownSetting) throws(ConfigurationError) {
        if let error = unknown.refusal(value: node.scalarText) { throw error }
        switch node {
        case .null, .scalar, .truth: break
        case .list(let nodes):
            for node in nodes { try refuseProtection(in: node, of: unknown) }
        case .mapping(let members):
            for (name, node) in members {
                try refuseProtection(in: node, of: unknown.member(name))
            }
        }
    }

    private mutating func takeGroup(_ node: FileNode, named key: String) throws(ConfigurationError) {
        switch node {
        case .mapping(let members): try takeMembers(members, group: key)
        case .null: break
        case .scalar, .truth, .list:
            throw ConfigurationError(
                code: .invalidValue,
                setting: key,
                value: node.description,
                source: source(of: key),
                reason: "is not a mapping of settings to values"
            )
        }
    }

    private mutating func take(_ node: FileNode, for setting: Setting) throws(ConfigurationError) {
        func invalid(_ reason: String) -> ConfigurationError {
            ConfigurationError(
                code: .invalidValue,
                setting: setting.key,
                value: setting.isSecret ? nil : node.description,
                source: source(of: setting.key),
                reason: reason
            )
        }
        // A nested key may also be written with a dot.
        guard values[setting.key] == nil else { throw invalid("is given a second time") }
        if setting.isStructured, let json = node.structureJSON {
            values[setting.key] = .text(json)
            return
        }
        switch node {
        // A template leaves this value when it has no secret. Nobody writes it to turn authentication off.
        case .null where setting.isSecret: throw invalid("is empty; for none, write []")
        case .null: break
        case .scalar(let text): values[setting.key] = .text(text)
        case .truth(let truth): values[setting.key] = .text("\(truth)")
        case .mapping: throw invalid("is a mapping, which the setting does not take")
        case .list(let nodes):
            let texts = nodes.compactMap(\.scalarText)
            guard texts.count == nodes.count else { throw invalid("is a list of something other than plain values") }
            values[setting.key] = .list(texts)
        }
    }
}
