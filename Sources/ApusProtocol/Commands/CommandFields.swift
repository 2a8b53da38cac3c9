/// The members of a command that mean something.
enum CommandField: UInt8 {
    case other, type, topic, clientID, apiKey, lastN, message, requestID
    /// Members of `message`.
    case messageID, payload

    /// The member of the outermost object with this name.
    @inline(__always)
    init(command name: ShortName, length: Int) {
        switch length {
        case 4: self = name == ShortName("type") ? .type : .other
        case 5: self = name == ShortName("topic") ? .topic : .other
        case 6: self = name == ShortName("last_n") ? .lastN : .other
        case 7: self = name == ShortName("message") ? .message : name == ShortName("api_key") ? .apiKey : .other
        case 9: self = name == ShortName("client_id") ? .clientID : .other
        case 10: self = name == ShortName("request_id") ? .requestID : .other
        default: self = .other
        }
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
        }
    }
}
