import Foundation
import Yams

/// What JSON and YAML have in common. Scalars are text: every setting reads its own.
indirect enum FileNode {
    typealias Member = (name: String, node: FileNode)

    case null
    case scalar(String)
    case list([FileNode])
    case mapping([Member])

    /// The text of a scalar; none of null, which as a member of a list is nothing that anybody means.
    var scalarText: String? {
        if case .scalar(let text) = self { text } else { nil }
    }

    /// For a message about it.
    var description: String {
        switch self {
        case .null: "null"
        case .scalar(let text): text
        case .list(let nodes): "[" + nodes.map(\.description).joined(separator: ", ") + "]"
        case .mapping(let members):
            "{" + members.map { "\($0.name): \($0.node.description)" }.joined(separator: ", ") + "}"
        }
    }
}

extension FileNode {
    /// A list or a mapping as JSON; `nil` of anything else.
    var structureJSON: String? {
        switch self {
        case .null, .scalar: nil
        case .list, .mapping: json
        }
    }

    /// What looks like a number becomes one, since a scalar does not say whether it was written with quotes.
    private var json: String {
        switch self {
        case .null: "null"
        case .scalar(let text): Self.isNumber(text) ? text : PlainText.quoted(text)
        case .list(let nodes): "[" + nodes.map(\.json).joined(separator: ",") + "]"
        case .mapping(let members):
            "{" + members.map { PlainText.quoted($0.name) + ":" + $0.node.json }.joined(separator: ",") + "}"
        }
    }

    private static func isNumber(_ text: String) -> Bool {
        (try? JSONDecoder().decode(Double.self, from: Data(text.utf8))) != nil
    }
}

// MARK: - JSON

extension FileNode: Decodable {
    static func fromJSON(_ text: String) throws(FileFault) -> FileNode {
        do {
            return try JSONDecoder().decode(FileNode.self, from: Data(text.utf8))
        } catch {
            throw FileFault(reason: "is not valid JSON" + position(in: text))
        }
    }

    /// Where the fault probably is. Foundation does not tell; what reads YAML finds most faults of JSON too.
    private static func position(in text: String) -> String {
        do {
            _ = try Yams.Parser(yaml: text).singleRoot()
            return ""
        } catch {
            return (error as? YamlError).map { ": \($0.position)" } ?? ""
        }
    }

    init(from decoder: any Decoder) throws {
        if let members = try? decoder.container(keyedBy: MemberName.self) {
            // The decoder knows no order; one that does not change makes for warnings that do not.
            let names = members.allKeys.sorted { $0.stringValue < $1.stringValue }
            self = .mapping(try names.map { ($0.stringValue, try members.decode(FileNode.self, forKey: $0)) })
        } else if var elements = try? decoder.unkeyedContainer() {
            var nodes: [FileNode] = []
            while !elements.isAtEnd {
                nodes.append(try elements.decode(FileNode.self))
            }
            self = .list(nodes)
        } else {
            self = try FileNode(decoder.singleValueContainer())
        }
    }

    private init(_ value: any SingleValueDecodingContainer) throws {
        if value.decodeNil() {
            self = .null
        } else if let truth = try? value.decode(Bool.self) {
            self = .scalar("\(truth)")
        } else if let number = try? value.decode(Int.self) {
            self = .scalar("\(number)")
        } else if let number = try? value.decode(Double.self) {
            self = .scalar("\(number)")
        } else {
            self = .scalar(try value.decode(String.self))
        }
    }

    private struct MemberName: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) {
            self.stringValue = stringValue
        }

        init?(intValue: Int) {
            nil
        }
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

    /// - Parameter budget: how many nodes there may still be. An alias is followed each time it stands somewhere, so
    ///   that a few lines could mean more than there is memory.
    private init(_ node: Yams.Node, budget: inout Int) throws(FileFault) {
        budget -= 1
        guard budget >= 0 else { throw FileFault(reason: "has more than \(ConfigurationFile.maximumNodes) nodes") }
        switch node {
        case .scalar(let scalar):
            let isNull = scalar.style == .plain && ["", "~", "null", "Null", "NULL"].contains(scalar.string)
            self = isNull ? .null : .scalar(scalar.string)
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
            self = .mapping(members)
        case .alias:
            throw FileFault(reason: "has an alias without an anchor")
        }
    }
}

extension YamlError {
    /// What and where, without the line itself, which may hold a secret.
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
