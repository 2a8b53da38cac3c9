import Foundation

/// A JSON or YAML file of settings: read, understood, and flattened to `topics.on_delete` and the like.
///
/// Bounded: a file has at most ``maximumSize`` bytes and ``maximumNodes`` nodes once its YAML aliases are followed.
struct ConfigurationFile {
    static let maximumSize = 1 << 20
    static let maximumNodes = 100_000

    private(set) var values: [String: RawValue] = [:]
    private(set) var warnings: [String] = []
    private let source: String

    /// - Parameter origin: who named the file, `flag --config` for one.
    init(path: String, origin: String) throws(ConfigurationError) {
        func unusable(_ reason: String) -> ConfigurationError {
            ConfigurationError(code: .unusableFile, setting: "config", value: path, source: origin, reason: reason)
        }
        let text: String
        do throws(FileFault) {
            text = try Self.read(path)
        } catch {
            throw unusable("cannot be read: \(error.reason)")
        }
        let root: FileNode
        do throws(FileFault) {
            root = try Self.isJSON(path: path, text: text) ? .fromJSON(text) : .fromYAML(text)
        } catch {
            throw unusable(error.reason)
        }
        source = "file \(path)"
        switch root {
        case .mapping(let members): try takeMembers(members)
        // Nothing but comments.
        case .null: break
        default: throw unusable("is not a mapping of settings to values")
        }
    }

    /// By the name of the file, or else by how it begins.
    private static func isJSON(path: String, text: String) -> Bool {
        switch path.split(separator: ".").last?.lowercased() {
        case "json": true
        case "yaml", "yml": false
        default: text.first { !$0.isWhitespace } == "{"
        }
    }

    private static func read(_ path: String) throws(FileFault) -> String {
        let data: Data
        do {
            let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            defer { try? file.close() }
            // One byte more than allowed tells a file that is too large from one that just fits.
            data = try file.read(upToCount: maximumSize + 1) ?? Data()
        } catch {
            throw FileFault(reason: systemReason(of: error))
        }
        guard data.count <= maximumSize else { throw FileFault(reason: "it is larger than \(maximumSize) bytes") }
        guard let text = String(validating: data, as: UTF8.self) else { throw FileFault(reason: "it is not UTF-8") }
        return text
    }

    /// What the system said, rather than the sentence that Foundation makes of it.
    private static func systemReason(of error: any Error) -> String {
        let error = error as NSError
        let cause = error.userInfo[NSUnderlyingErrorKey] as? NSError ?? error
        guard cause.domain == NSPOSIXErrorDomain else {
            return switch CocoaError.Code(rawValue: error.code) {
            case .fileNoSuchFile, .fileReadNoSuchFile: "no such file or directory"
            case .fileReadNoPermission: "permission denied"
            default: error.localizedDescription
            }
        }
        return String(cString: strerror(Int32(cause.code))).lowercased()
    }

    private mutating func takeMembers(_ members: [FileNode.Member], group: String? = nil) throws(ConfigurationError) {
        for (name, node) in members {
            let key = group.map { "\($0).\(name)" } ?? name
            if let setting = Setting.named(key) {
                try take(node, for: setting)
            } else if group == nil, Setting.isGroup(key) {
                try takeGroup(node, named: key)
            } else {
                let hint = Setting.nearest(to: key).map { "; did you mean '\($0)'?" } ?? ""
                warnings.append(
                    "unknown key '\(PlainText.escaped(key, limit: 100))' in \(PlainText.escaped(source))\(hint)"
                )
            }
        }
    }

    private mutating func takeGroup(_ node: FileNode, named key: String) throws(ConfigurationError) {
        switch node {
        case .mapping(let members): try takeMembers(members, group: key)
        case .null: break
        case .scalar, .list:
            throw ConfigurationError(
                code: .invalidValue,
                setting: key,
                value: node.description,
                source: source,
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
                source: source,
                reason: reason
            )
        }
        // A nested key can be written with its dot as well.
        guard values[setting.key] == nil else { throw invalid("is given a second time") }
        if setting.isStructured, let json = node.structureJSON {
            values[setting.key] = .text(json)
            return
        }
        switch node {
        case .null: break
        case .scalar(let text): values[setting.key] = .text(text)
        case .mapping: throw invalid("is a mapping, which the setting does not take")
        case .list(let nodes):
            let texts = nodes.compactMap(\.scalarText)
            guard texts.count == nodes.count else { throw invalid("is a list of something other than plain values") }
            values[setting.key] = .list(texts)
        }
    }
}

/// What is wrong with a file, before it is known who named it.
struct FileFault: Error {
    let reason: String
}

extension Setting {
    /// The key that somebody may have meant by `key`: the same but for the case and the kind of dash, or two letters
    /// off.
    static func nearest(to key: String) -> String? {
        let key = String(key.prefix(64).lowercased().map { $0 == "-" ? "_" : $0 })
        let candidates = all.map { (key: $0.key, distance: distance(key, $0.key)) }
        return candidates.filter { $0.distance <= 2 }.min { $0.distance < $1.distance }?.key
    }

    /// How many letters have to be put in, left out or exchanged to get from one word to the other (Levenshtein).
    private static func distance(_ first: String, _ second: String) -> Int {
        let second = Array(second)
        var row = Array(0...second.count)
        for (index, letter) in first.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in second.indices {
                let exchanged = diagonal + (letter == second[column] ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(exchanged, diagonal + 1, row[column] + 1)
            }
        }
        return row[second.count]
    }
}
