import ApusProtocol
import Yams

/// The common structure of JSON and YAML. Scalars are text, and every setting parses its own.
indirect enum FileNode {
    typealias Member = (name: String, node: FileNode)

    case null
    case scalar(String)
    /// A truth value: `true` or `false`, without quotes.
    case truth(Bool)
    case list([FileNode])
    case mapping([Member])

    /// The text of a scalar; `nil` for null, which is never meaningful as an element of a list.
    var scalarText: String? {
        switch self {
        case .scalar(let text): text
        case .truth(let truth): "\(truth)"
        case .null, .list, .mapping: nil
        }
    }

    /// The node's description for error messages.
    var description: String {
        switch self {
        case .null: "null"
        case .scalar(let text): text
        case .truth(let truth): "\(truth)"
        case .list(let nodes): "[" + nodes.map(\.description).joined(separator: ", ") + "]"
        case .mapping(let members):
            "{" + members.map { "\($0.name): \($0.node.description)" }.joined(separator: ", ") + "}"
        }
    }
}

extension FileNode {
    /// A list or a mapping as JSON; `nil` for anything else.
    var structureJSON: String? {
        switch self {
        case .null, .scalar, .truth: nil
        case .list, .mapping: json
        }
    }

    /// Text that looks like a number becomes a number, because a scalar does not record whether it was quoted.
    private var json: String {
        switch self {
        case .null: "null"
        case .scalar(let text): Self.isNumber(text) ? text : PlainText.quoted(text)
        case .truth(let truth): "\(truth)"
        case .list(let nodes): "[" + nodes.map(\.json).joined(separator: ",") + "]"
        case .mapping(let members):
            "{" + members.map { PlainText.quoted($0.name) + ":" + $0.node.json }.joined(separator: ",") + "}"
        }
    }

    private static func isNumber(_ text: String) -> Bool {
        if case .number? = JSONValue(text) { true } else { false }
    }
}

// MARK: - JSON

extension FileNode {
    static func fromJSON(_ text: String) throws(FileFault) -> FileNode {
        guard let value = JSONValue(text) else { throw FileFault(reason: "is not valid JSON" + position(in: text)) }
        return try FileNode(value)
    }

    /// The probable position of the error. The YAML parser finds most JSON errors too.
    private static func position(in text: String) -> String {
        do {
            _ = try Yams.Parser(yaml: text).singleRoot()
            return ""
        } catch {
            return (error as? YamlError).map { ": \($0.position)" } ?? ""
        }
    }

    private init(_ value: JSONValue) throws(FileFault) {
        switch value {
        case .null: self = .null
        case .boolean(let truth): self = .truth(truth)
        case .number(let text): self = .scalar(Self.plain(number: text))
        case .string(let text): self = .scalar(text)
        case .array(let values):
            var nodes: [FileNode] = []
            for value in values { nodes.append(try FileNode(value)) }
            self = .list(nodes)
        case .object(let members):
            var nodes: [Member] = []
            for (name, value) in members { nodes.append((name, try FileNode(value))) }
            self = try .mapping(of: nodes)
        }
    }

    /// An integer without fraction and exponent: `1000` for `1e3`.
    private static func plain(number text: String) -> String {
        Int(text) == nil ? Double(text).flatMap { Int(exactly: $0) }.map { "\($0)" } ?? text : text
    }

    /// A mapping with unique keys. With duplicate keys, it is unclear which value is meant.
    private static func mapping(of members: [Member]) throws(FileFault) -> FileNode {
        var names: Set<String> = []
        for (name, _) in members where !names.insert(name).inserted {
            throw FileFault(reason: "has the key '\(PlainText.escaped(name, limit: 100))' a second time")
        }
        return .mapping(members)
    }
}

// MARK: - YAML

extension FileNode {
    static func fromYAML(_ text: String) throws(FileFault) -> FileNode {
        do {
            guard let root = try Yams.Parser(yaml: text).singleRoot() else { return .null }
            var budget = ConfigurationFile.maximumNodes
            return try FileNode(root, budget: &budget)
        } catch let fault as FileFault {
            throw fault
        } catch let error as YamlError {
            throw FileFault(reason: "is not valid YAML: \(error.position)")
        } catch {
            throw FileFault(reason: "is not valid YAML")
        }
    }

    /// - Parameter budget: how many more nodes are allowed. An alias is expanded each time it is used, so a few lines
    ///   could need more memory than there is.
    private init(_ node: Yams.Node, budget: inout Int) throws(FileFault) {
        budget -= 1
        guard budget >= 0 else { throw FileFault(reason: "has more than \(ConfigurationFile.maximumNodes) nodes") }
        switch node {
        case .scalar(let scalar):
            switch scalar.style == .plain ? scalar.string : nil {
            case "", "~", "null", "Null", "NULL": self = .null
            case "true", "false": self = .truth(scalar.string == "true")
            default: self = .scalar(scalar.string)
            }
        case .sequence(let sequence):
            var nodes: [FileNode] = []
            for node in sequence {
                nodes.append(try FileNode(node, budget: &budget))
            }
            self = .list(nodes)
        case .mapping(let mapping):
            var members: [Member] = []
            for (key, value) in mapping {
                guard case .scalar(let name) = key else { throw FileFault(reason: "has a key that is not plain text") }
                members.append((name.string, try FileNode(value, budget: &budget)))
            }
            self = try .mapping(of: members)
        case .alias:
            throw FileFault(reason: "has an alias without an anchor")
        }
    }
}

extension YamlError {
    /// The error and its position, without the line itself, which may contain a secret.
    fileprivate var position: String {
        switch self {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            "line \(mark.line), column \(mark.column): \(problem)"
        case .duplicatedKeysInMapping(let duplicates, let context):
            "line \(context.mark.line): \(duplicates.sorted().joined(separator: ", ")) is given a second time"
        case .reader(let problem, _, _, _), .writer(let problem), .emitter(let problem), .representer(let problem):
            problem
        case .no, .memory, .dataCouldNotBeDecoded: "it cannot be read"
        }
    }
}
