/// A command of a client, as positions in the text that it came in. Nothing is copied or decoded.
public struct Command: Sendable, Equatable {
    public enum Kind: UInt8, Sendable {
        case subscribe, unsubscribe, publish, ping, auth
    }

    public var kind: Kind
    /// The raw JSON token, with its quotes when it is a string, to echo byte for byte.
    public var requestID: Range<Int>?
    /// Empty when the command has none; so are the other texts.
    public var topic: JSONText
    public var clientID: JSONText
    public var apiKey: JSONText
    /// How many kept publications to replay; 0 when absent, `Int.max` when the number is larger than that.
    public var lastN: Int
    /// Whether it was given.
    public var hasLastN: Bool
    /// The raw JSON object to forward byte for byte; empty when the command has none.
    public var message: Range<Int>
    /// Whether the command has members that only extensions know: then ``CommandScanner`` is asked for them.
    public var hasExtensions: Bool

    @inline(__always)
    init(kind: Kind, requestID: Range<Int>?) {
        self.kind = kind
        self.requestID = requestID
        self.topic = .empty
        self.clientID = .empty
        self.apiKey = .empty
        self.lastN = 0
        self.hasLastN = false
        self.message = 0..<0
        self.hasExtensions = false
    }
}

/// Why a text is no command. Always `BAD_REQUEST` on the wire.
public struct CommandError: Error, Sendable, Equatable {
    /// What is wrong with which field, for the client. It may quote the client's own text, at most 64 characters of it.
    public var message: String
    /// The raw token to echo, when the text was a JSON object with a valid `request_id`.
    public var requestID: Range<Int>?

    public init(message: String, requestID: Range<Int>? = nil) {
        self.message = message
        self.requestID = requestID
    }
}
