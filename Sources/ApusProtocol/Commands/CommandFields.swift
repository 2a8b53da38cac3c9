/// The members of a command that have a meaning.
enum CommandField: UInt8 {
    case other, type, topic, clientID, apiKey, lastN, message, requestID
    /// A member that only extensions know. A separate pass reads these members.
    case `extension`
    /// Members of `message`.
    case messageID, payload

    /// The member with this name in the outermost object.
    @inline(__always)
    init(command name: ShortName?) {
        guard let name else {
            self = .other
            return
        }
        switch name.length {
        case 4: self = name == "type" ? .type : name == "echo" || name == "wait" ? .extension : .other
        case 5: self = name == "topic" ? .topic : Self.extensionOfFive(name)
        case 6: self = name == "last_n" ? .lastN : .other
        case 7: self = name == "message" ? .message : Self.otherOfSeven(name)
        case 9: self = name == "client_id" ? .clientID : name == "positions" ? .extension : .other
        case 10: self = name == "request_id" ? .requestID : name == "tracestate" ? .extension : .other
        case 3: self = name == "key" || name == "ttl" ? .extension : .other
        case 8: self = Self.extensionOfEight(name)
        default: self = .other
        }
    }

    @inline(__always)
    private static func otherOfSeven(_ name: ShortName) -> CommandField {
        name == "api_key" ? .apiKey : name == "outcome" ? .extension : .other
    }

    @inline(__always)
    private static func extensionOfFive(_ name: ShortName) -> CommandField {
        name == "since" || name == "queue" || name == "token" || name == "trace" ? .extension : .other
    }

    @inline(__always)
    private static func extensionOfEight(_ name: ShortName) -> CommandField {
        name == "overflow" || name == "presence" || name == "messages" ? .extension : .other
    }

    /// The member of `message` with this name.
    @inline(__always)
    init(message name: ShortName?) {
        guard let name else {
            self = .other
            return
        }
        switch name.length {
        case 2: self = name == "id" ? .messageID : .other
        case 7: self = name == "payload" ? .payload : .other
        default: self = .other
        }
    }
}

/// The positions of the values of a command's fields. If a name occurs twice, the last value counts.
///
/// Large, and used in only one place, so it is never copied.
struct CommandFields: ~Copyable {
    var type = JSONToken.absent
    var topic = JSONToken.absent
    var clientID = JSONToken.absent
    var apiKey = JSONToken.absent
    var lastN = JSONToken.absent
    var message = JSONToken.absent
    var requestID = JSONToken.absent
    var messageID = JSONToken.absent
    var payload = JSONToken.absent
    /// Whether there is a member that only extensions know.
    var hasExtensions = false

    @inline(__always)
    init() {}

    @inline(__always)
    mutating func set(_ field: CommandField, to token: JSONToken) {
        switch field {
        case .other: break
        case .type: type = token
        case .topic: topic = token
        case .clientID: clientID = token
        case .apiKey: apiKey = token
        case .lastN: lastN = token
        case .message: message = token
        case .requestID: requestID = token
        case .messageID: messageID = token
        case .payload: payload = token
        case .extension: hasExtensions = true
        }
    }
}
