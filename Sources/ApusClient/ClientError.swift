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
        /// The waiting task was cancelled.
        public static let cancelled = Code(.cancelled)

        public var description: String { kind.rawValue }
    }

    public let code: Code
    public let message: String
    /// The server's own word on it, where it gave one.
    public let problem: Problem?
    /// What it was caused by.
    public let cause: (any Error)?

    public init(_ code: Code, _ message: String, problem: Problem? = nil, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.problem = problem
        self.cause = cause
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
    /// The HTTP status.
    public let status: Int
    /// The stable machine code, such as `TOPIC_NOT_FOUND`; absent when something other than Apus answered.
    public let code: String?
    public let title: String?
    public let detail: String?

    public init(status: Int, code: String? = nil, title: String? = nil, detail: String? = nil) {
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
    }
}
