package import ApusProtocol
import Foundation
import Yams

/// Reads files of keys: bounded in size, JSON or YAML.
package enum StructuredFile {
    /// The largest file, in bytes.
    package static let maximumSize = 4 << 20
    /// The most values in a YAML file, once its aliases are expanded.
    package static let maximumNodes = 500_000
    /// The deepest nesting.
    static let maximumDepth = 32

    /// Whether the file is JSON: by its extension, or else by its first character.
    package static func isJSON(path: String, text: String) -> Bool {
        switch path.split(separator: ".").last?.lowercased() {
        case "json": true
        case "yaml", "yml": false
        default: text.first { !$0.isWhitespace }.map { $0 == "{" || $0 == "[" } ?? false
        }
    }

    /// The text of a file of at most `limit` bytes.
    package static func text(of path: String, limit: Int = maximumSize) throws(AccessError) -> String {
        let data: Data
        do {
            let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            defer { try? file.close() }
            // One byte more than allowed shows that a file is too large.
            data = try file.read(upToCount: limit + 1) ?? Data()
        } catch {
            throw AccessError(.file, "it cannot be read: \(systemReason(of: error))")
        }
        guard data.count <= limit else { throw AccessError(.file, "it is larger than \(limit) bytes") }
        guard let text = String(validating: data, as: UTF8.self) else { throw AccessError(.file, "it is not UTF-8") }
        return text.unicodeScalars.first == "\u{FEFF}" ? String(text.unicodeScalars.dropFirst()) : text
    }

    /// The contents of a file's text. An empty YAML file is `null`.
    package static func value(
        of text: String,
        isJSON: Bool,
        maximumNodes: Int = maximumNodes
    ) throws(AccessError) -> JSONValue {
        guard isJSON else { return try yaml(text, maximumNodes: maximumNodes) }
        guard let value = JSONValue(text, maxDepth: maximumDepth) else {
            throw AccessError(.file, "it is not valid JSON")
        }
        guard !value.hasRepeatedName else { throw AccessError(.file, "it has a key a second time") }
        return value
    }

    /// The system's words for an error, instead of Foundation's longer sentence.
    package static func systemReason(of error: any Error) -> String {
        let error = error as NSError
        let cause = error.userInfo[NSUnderlyingErrorKey] as? NSError ?? error
        guard cause.domain == NSPOSIXErrorDomain else {
            return switch CocoaError.Code(rawValue: error.code) {
            case .fileNoSuchFile, .fileReadNoSuchFile: "no such file or directory"
            case .fileReadNoPermission, .fileWriteNoPermission: "permission denied"
            default: error.localizedDescription
            }
        }
        return String(cString: strerror(Int32(cause.code))).lowercased()
    }
}

// MARK: - YAML

extension StructuredFile {
    private static func yaml(_ text: String, maximumNodes: Int) throws(AccessError) -> JSONValue {
        do {
            guard let root = try Yams.Parser(yaml: text).singleRoot() else { return .null }
            var budget = maximumNodes
            return try value(of: root, budget: &budget, depth: 0)
        } catch let error as AccessError {
            throw error
        } catch {
            // The parser quotes the line, in which there may be a secret.
            throw AccessError(.file, "it is not valid YAML" + place(of: error))
        }
    }

    /// - Parameter budget: how many more values are allowed. An alias is expanded each time it is used, so a few lines
    ///   could need more memory than there is.
    private static func value(of node: Yams.Node, budget: inout Int, depth: Int) throws(AccessError) -> JSONValue {
        budget -= 1
        guard budget >= 0 else { throw AccessError(.file, "it has too many values") }
        guard depth < maximumDepth else { throw AccessError(.file, "it nests deeper than \(maximumDepth) levels") }
        switch node {
        case .scalar(let scalar): return value(of: scalar)
        case .sequence(let sequence):
            var values: [JSONValue] = []
            for node in sequence { values.append(try value(of: node, budget: &budget, depth: depth + 1)) }
            return .array(values)
        case .mapping(let mapping):
            var members: [(name: String, value: JSONValue)] = []
            for (key, node) in mapping {
                guard case .scalar(let name) = key else { throw AccessError(.file, "it has a key that is no text") }
                members.append((name.string, try value(of: node, budget: &budget, depth: depth + 1)))
            }
            guard Set(members.map(\.name)).count == members.count else {
                throw AccessError(.file, "it has a key a second time")
            }
            return .object(members)
        case .alias: throw AccessError(.file, "it has an alias without an anchor")
        }
    }

    /// A scalar without quotes may be null, a truth or a number. Everything else is text.
    private static func value(of scalar: Yams.Node.Scalar) -> JSONValue {
        guard scalar.style == .plain else { return .string(scalar.string) }
        switch scalar.string {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .boolean(true)
        case "false", "False", "FALSE": return .boolean(false)
        default:
            if case .number(let text)? = JSONValue(scalar.string) { return .number(text) }
            return .string(scalar.string)
        }
    }

    private static func place(of error: any Error) -> String {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            ": line \(mark.line), column \(mark.column): \(problem)"
        case .duplicatedKeysInMapping(_, let context): ": line \(context.mark.line): a key is given a second time"
        default: ""
        }
    }
}
