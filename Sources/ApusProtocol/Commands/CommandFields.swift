/// A JSON value that was read: what it is and where.
struct JSONToken {
    enum Kind: UInt8 {
        case absent, null, boolean, integer, fraction, string, escapedString, array, object
    }

    var kind: Kind
    /// With the quotes or brackets.
    var start: Int
    var end: Int

    static var absent: JSONToken { JSONToken(kind: .absent, start: 0, end: 0) }

    /// Whether the field counts as not given.
    var isAbsent: Bool { kind == .absent || kind == .null }

    var range: Range<Int> { Range(uncheckedBounds: (start, end)) }

    /// The string that the token is, if it is one.
    @inline(__always)
    var text: JSONText? {
        guard kind == .string || kind == .escapedString else { return nil }
        let content = Range(uncheckedBounds: (start &+ 1, end &- 1))
        return JSONText(range: content, hasEscapes: kind == .escapedString)
    }
}

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
