/// The members of a command that mean something.
enum CommandField: UInt8 {
    case other, type, topic, clientID, apiKey, lastN, message, requestID
    /// A member that only extensions know; they are read in a pass of their own.
    case `extension`
    /// Members of `message`.
    case messageID, payload

    /// The member of the outermost object with this name.
    @inline(__always)
    init(command name: ShortName, length: Int) {
        switch length {
        case 4: self = name == ShortName("type") ? .type : name == ShortName("echo") ? .extension : .other
        case 5: self = name == ShortName("topic") ? .topic : Self.extensionOfFive(name)
        case 6: self = name == ShortName("last_n") ? .lastN : .other
        case 7: self = name == ShortName("message") ? .message : Self.otherOfSeven(name)
        case 9: self = name == ShortName("client_id") ? .clientID : Self.extensionOfNine(name)
        case 10: self = name == ShortName("request_id") ? .requestID : .other
        case 3: self = name == ShortName("key") || name == ShortName("ttl") ? .extension : .other
        case 8: self = Self.extensionOfEight(name)
        default: self = .other
        }
    }

    private static func extensionOfFive(_ name: ShortName) -> CommandField {
        name == ShortName("since") || name == ShortName("queue") ? .extension : .other
    }

    @inline(__always)
    private static func otherOfSeven(_ name: ShortName) -> CommandField {
        name == ShortName("api_key") ? .apiKey : name == ShortName("outcome") ? .extension : .other
    }

    private static func extensionOfEight(_ name: ShortName) -> CommandField {
        name == ShortName("overflow") || name == ShortName("presence") || name == ShortName("messages")
            ? .extension : .other
    }

    private static func extensionOfNine(_ name: ShortName) -> CommandField {
        name == ShortName("positions") ? .extension : .other
    }

    /// The member of `message` with this name.
    @inline(__always)
    init(message name: ShortName, length: Int) {
        switch length {
        case 2: self = name == ShortName("id") ? .messageID : .other
        case 7: self = name == ShortName("payload") ? .payload : .other
        default: self = .other
        }
    }
}

/// Where the values of a command's fields are. Of a name given twice, the last value counts.
struct CommandFields {
    var type = JSONToken.absent
    var topic = JSONToken.absent
    var clientID = JSONToken.absent
    var apiKey = JSONToken.absent
    var lastN = JSONToken.absent
    var message = JSONToken.absent
    var requestID = JSONToken.absent
    var messageID = JSONToken.absent
    var payload = JSONToken.absent
    /// Whether there is any member that only extensions know.
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
