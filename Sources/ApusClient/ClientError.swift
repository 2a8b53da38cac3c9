import ApusProtocol

/// An error between a client and a server.
///
/// `message` is one clear clause without a full stop, suitable for users.
public struct ClientError: Error, Sendable {
    /// The kind of an error.
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
            case tokenUnavailable
            case untrusted
            case unusableFile
        }

        private let kind: Kind

        private init(_ kind: Kind) {
            self.kind = kind
        }

        /// The address is not valid.
        public static let badAddress = Code(.badAddress)
        /// No connection could be made: refused, no route, no such host, or a TLS handshake that failed otherwise than
        /// with ``untrusted``.
        public static let unreachable = Code(.unreachable)
        /// The server did not answer in time.
        public static let timedOut = Code(.timedOut)
        /// The server requires another credential (HTTP status 401), or the credential has ended. A token provider
        /// throws it if there are no tokens any more.
        public static let unauthorized = Code(.unauthorized)
        /// The server answered with any other error. `problem` contains its status.
        public static let refused = Code(.refused)
        /// The connection is closed.
        public static let closed = Code(.closed)
        /// The server violated RFC 6455 or HTTP.
        public static let protocolViolation = Code(.protocolViolation)
        /// A message or body does not follow the contract.
        public static let badMessage = Code(.badMessage)
        /// The limit of unanswered publishes in the client's options is reached.
        public static let queueFull = Code(.queueFull)
        /// The client's closure has ended.
        public static let clientClosed = Code(.clientClosed)
        /// The waiting task was cancelled.
        public static let cancelled = Code(.cancelled)
        /// The token provider failed, or did not answer in time.
        public static let tokenUnavailable = Code(.tokenUnavailable)
        /// The client does not accept the server's certificate, or the server the client's.
        public static let untrusted = Code(.untrusted)
        /// A file that ``ClientTLS`` names cannot be used.
        public static let unusableFile = Code(.unusableFile)

        public var description: String { kind.rawValue }
    }

    /// The kind of the error.
    public let code: Code
    /// What happened, in one clear clause for users.
    public let message: String
    /// The server's problem document or error reply, if there is one.
    public let problem: Problem?
    /// How the server closed the connection, if it did.
    public let close: WebSocketClose?
    /// The topic that the error concerns, if there is one.
    public let topic: String?
    /// The underlying error, if there is one.
    public let cause: (any Error)?

    /// Creates an error. Everything except the code and the message is optional.
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

    /// The error for a connection that the server closed or that broke.
    init(_ close: WebSocketClose) {
        let name = close.reason.isEmpty ? "\(close.code)" : "\(close.code) \(close.reason)"
        if close.code == WebSocketClose.abnormal {
            self.init(.closed, "the connection broke", close: close)
        } else {
            let ends = [Disconnect.unauthorized, .tokenExpired, .revoked].map(\.reason)
            let code: Code = ends.contains(close.reason) ? .unauthorized : .closed
            self.init(code, "the server closed the connection (\(name))", close: close)
        }
    }

    /// The error for a command that is too large for the server, which closed the connection because of it.
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

    /// The error for a command that the server refused.
    init(_ reply: ServerMessage.ErrorReply, topic: String?) {
        self.init(
            reply.code == ErrorCode.unauthorized.rawValue ? .unauthorized : .refused,
            reply.message,
            problem: Problem(
                code: reply.code,
                detail: reply.message,
                retryAfter: reply.retryAfterMilliseconds.map { $0 / 1000 + ($0 % 1000 > 0 ? 1 : 0) }
            ),
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

/// The server's error response: the members of RFC 9457, and Apus's stable `code`.
public struct Problem: Sendable, Hashable, Codable {
    /// The HTTP status; 0 if the response came over WebSocket.
    public let status: Int
    /// The stable machine-readable code, such as `TOPIC_NOT_FOUND`; `nil` if the response is not from Apus.
    public let code: String?
    /// The kind of problem, for users.
    public let title: String?
    /// What is wrong in this case, for users.
    public let detail: String?
    /// How many seconds to wait before a retry, if the server says so.
    public let retryAfter: Int?

    /// Creates a problem. All members are optional.
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
