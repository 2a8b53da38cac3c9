/// A client's command, as positions in the scanned text. Nothing is copied or decoded.
public struct Command: Sendable, Equatable {
    public enum Kind: UInt8, Sendable {
        case subscribe, unsubscribe, publish, ping, auth
    }

    public var kind: Kind
    /// The raw JSON token, including the quotes of a string, to echo byte for byte.
    public var requestID: Range<Int>?
    /// Empty when the command does not have it. The same holds for the other texts.
    public var topic: JSONStringSpan
    public var clientID: JSONStringSpan
    public var apiKey: JSONStringSpan
    /// How many stored publications to replay. 0 when absent; `Int.max` when the number exceeds that.
    public var lastN: Int
    /// Whether the command has `last_n`.
    public var hasLastN: Bool
    /// The raw JSON object to forward byte for byte; empty when the command has none.
    public var message: Range<Int>
    /// Whether the command has members that only extensions know. If so, ask ``CommandScanner`` for them.
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

/// Why a text is not a valid command. Always `BAD_REQUEST` on the wire.
public struct CommandError: Error, Sendable, Equatable {
    /// For the client: which field is wrong, and why. It may quote at most 64 characters of the client's text.
    public var message: String
    /// The raw token to echo, if the text was a JSON object with a valid `request_id`.
    public var requestID: Range<Int>?

    public init(message: String, requestID: Range<Int>? = nil) {
        self.message = message
        self.requestID = requestID
    }
}
