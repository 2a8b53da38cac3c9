/// The commands of the shell, in the order of the menu.
enum ShellVerb: String, CaseIterable {
    case subscribe
    case unsubscribe
    case publish
    case ping
    case topics
    case create
    case delete
    case stats
    case quit
    case help

    /// An argument of a command.
    struct Field: Equatable {
        let name: String
        /// The value of an empty answer. Without one, the field is required.
        var fallback: String?
    }

    var fields: [Field] {
        switch self {
        case .subscribe: [Field(name: "topic"), Field(name: "last messages", fallback: "0")]
        case .unsubscribe, .create, .delete: [Field(name: "topic")]
        case .publish: [Field(name: "topic"), Field(name: "payload")]
        case .ping, .topics, .stats, .quit, .help: []
        }
    }

    var usage: String {
        switch self {
        case .subscribe: "subscribe TOPIC [LAST]"
        case .unsubscribe: "unsubscribe TOPIC"
        case .publish: "publish TOPIC PAYLOAD"
        case .create: "create TOPIC"
        case .delete: "delete TOPIC"
        default: rawValue
        }
    }

    var summary: String {
        switch self {
        case .subscribe: "receive a topic's events, its last ones first"
        case .unsubscribe: "receive them no more"
        case .publish: "publish a message; what is not JSON is sent as a string"
        case .ping: "ask whether the server is there"
        case .topics: "list the topics"
        case .create: "create a topic"
        case .delete: "delete a topic"
        case .stats: "messages and subscribers of each topic"
        case .quit: "leave"
        case .help: "show this"
        }
    }

    /// The menu. The user may enter its numbers instead of the words.
    static var menu: String {
        let width = allCases.map(\.usage.count).max() ?? 0
        return allCases.enumerated().map { index, verb in
            let number = verb == .help ? " " : "\(index + 1)"
            let padding = String(repeating: " ", count: width - verb.usage.count)
            return "  \(number)  \(verb.usage)\(padding)  \(verb.summary)"
        }.joined(separator: "\n")
    }
}

/// A parsed line of the shell.
enum ShellInput: Equatable {
    case empty
    /// A command and the given fields. The shell asks for missing fields.
    case verb(ShellVerb, [String])
    case unknown(String)

    init(_ line: String) {
        let words = line.split(maxSplits: 1, whereSeparator: \.isWhitespace).map(String.init)
        guard let first = words.first else {
            self = .empty
            return
        }
        guard let verb = Self.verb(for: first) else {
            self = .unknown(first)
            return
        }
        // The last field takes the rest of the line, so that a payload may contain spaces.
        let rest = words.count > 1 ? words[1] : ""
        let fields = rest.split(maxSplits: max(0, verb.fields.count - 1), whereSeparator: \.isWhitespace).map { field in
            String(field.reversed().drop(while: \.isWhitespace).reversed())
        }
        self = .verb(verb, verb.fields.isEmpty ? [] : fields)
    }

    private static func verb(for word: String) -> ShellVerb? {
        if let number = Int(word) {
            return (1...9).contains(number) ? ShellVerb.allCases[number - 1] : nil
        }
        return switch word.lowercased() {
        case "exit", "q": .quit
        case "?", "menu": .help
        case "pub": .publish
        case "sub": .subscribe
        case "unsub": .unsubscribe
        default: ShellVerb(rawValue: word.lowercased())
        }
    }
}
