import ApusProtocol

/// What can go wrong between a client and a server.
///
/// `message` is one clear clause without a full stop, fit to be shown to people.
public struct ClientError: Error, Sendable {
    /// What kind of failure it is.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Kind: String {
            case badAddress
            case unreachable
            case timedOut
            case unauthorized
            case refused
            case closed
            case protocolViolation
            case badMessage
            case queueFull
            case clientClosed
            case cancelled
        }

        private let kind: Kind

        private init(_ kind: Kind) {
            self.kind = kind
        }

        /// The address is none.
        public static let badAddress = Code(.badAddress)
        /// No connection could be made: refused, no route, no such host, a failed TLS handshake.
        public static let unreachable = Code(.unreachable)
        /// The server did not answer in time.
        public static let timedOut = Code(.timedOut)
        /// The server wants another API key (HTTP status 401).
        public static let unauthorized = Code(.unauthorized)
        /// The server answered with any other error; `problem` has its status.
        public static let refused = Code(.refused)
        /// The connection is closed.
        public static let closed = Code(.closed)
        /// The server broke RFC 6455 or HTTP.
        public static let protocolViolation = Code(.protocolViolation)
        /// A message or body is not what the contract says.
        public static let badMessage = Code(.badMessage)
        /// As many publishes wait for their answers as the client's options allow.
        public static let queueFull = Code(.queueFull)
        /// The closure that the client was for has ended.
        public static let clientClosed = Code(.clientClosed)
        /// The waiting task was cancelled.
        public static let cancelled = Code(.cancelled)

        public var description: String { kind.rawValue }
    }

    /// What kind of failure it is.
    public let code: Code
    /// What happened, for people: one clear clause.
    public let message: String
    /// The server's own word on it, where it gave one.
    public let problem: Problem?
    /// How the server closed the connection, where it did.
    public let close: WebSocketClose?
    /// The topic it is about, where it is about one.
    public let topic: String?
    /// What it was caused by.
    public let cause: (any Error)?

    /// Makes an error.
    public init(
        _ code: Code,
        _ message: String,
        problem: Problem? = nil,
        close: WebSocketClose? = nil,
        topic: String? = nil,
        cause: (any Error)? = nil
    ) {
        self.code = code
        self.message = message
        self.problem = problem
        self.close = close
        self.topic = topic
        self.cause = cause
    }

    /// The error of a connection that the server closed, or that broke.
    init(_ close: WebSocketClose) {
        let name = close.reason.isEmpty ? "\(close.code)" : "\(close.code) \(close.reason)"
        if close.code == WebSocketClose.abnormal {
            self.init(.closed, "the connection broke", close: close)
        } else {
            let code: Code = close.reason == Disconnect.unauthorized.reason ? .unauthorized : .closed
            self.init(code, "the server closed the connection (\(name))", close: close)
        }
    }

    /// The error of a command that is larger than the server takes, which the server said by closing the connection.
    static func tooBig(bytes: Int, topic: String) -> ClientError {
        let message = "the server takes no message of \(bytes) bytes"
        return ClientError(
            .refused,
            message,
            problem: Problem(code: Disconnect.messageTooBig.reason, detail: message),
            close: WebSocketClose(code: WebSocketClose.messageTooBig, reason: Disconnect.messageTooBig.reason),
            topic: topic
        )
    }

    /// The error of a command that the server refused.
    init(_ reply: ServerMessage.ErrorReply, topic: String) {
        self.init(
            reply.code == ErrorCode.unauthorized.rawValue ? .unauthorized : .refused,
            reply.message,
            problem: Problem(code: reply.code, detail: reply.message),
            topic: topic
        )
    }
}

extension ClientError: CustomStringConvertible {
    public var description: String {
        guard let code = problem?.code else { return message }
        return "\(message) (\(code))"
    }
}

/// An error answer of the server: RFC 9457's members and Apus's stable `code`.
public struct Problem: Sendable, Hashable, Codable {
    /// The HTTP status; 0 of an answer that came over WebSocket.
    public let status: Int
    /// The stable machine code, such as `TOPIC_NOT_FOUND`; absent when something other than Apus answered.
    public let code: String?
    /// What kind of problem it is, for people.
    public let title: String?
    /// What is wrong this time, for people.
    public let detail: String?
    /// After how many seconds to try again, where the server said so.
    public let retryAfter: Int?

    /// Makes a problem of its members.
    public init(
        status: Int = 0,
        code: String? = nil,
        title: String? = nil,
        detail: String? = nil,
        retryAfter: Int? = nil
    ) {
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.retryAfter = retryAfter
    }
}
