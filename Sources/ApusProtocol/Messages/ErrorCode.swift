/// The stable error codes for clients, on WebSocket and REST alike. This is the only table of them.
package enum ErrorCode: String, Sendable, CaseIterable {
    case badRequest = "BAD_REQUEST"
    case unauthorized = "UNAUTHORIZED"
    case topicNotFound = "TOPIC_NOT_FOUND"
    case notFound = "NOT_FOUND"
    case methodNotAllowed = "METHOD_NOT_ALLOWED"
    case topicExists = "TOPIC_EXISTS"
    case requestTimeout = "REQUEST_TIMEOUT"
    case tooLarge = "TOO_LARGE"
    case targetTooLong = "TARGET_TOO_LONG"
    case unsupportedEncoding = "UNSUPPORTED_ENCODING"
    case expectationFailed = "EXPECTATION_FAILED"
    case upgradeRequired = "UPGRADE_REQUIRED"
    case headTooLarge = "HEAD_TOO_LARGE"
    case slowConsumer = "SLOW_CONSUMER"
    case unavailable = "UNAVAILABLE"
    case forbidden = "FORBIDDEN"
    case forbiddenOrigin = "FORBIDDEN_ORIGIN"
    case forbiddenHost = "FORBIDDEN_HOST"
    case rateLimited = "RATE_LIMITED"
    case overloaded = "OVERLOADED"
    case kicked = "KICKED"
    case `internal` = "INTERNAL"
    case notImplemented = "NOT_IMPLEMENTED"
    case versionNotSupported = "VERSION_NOT_SUPPORTED"

    /// The HTTP status of a REST response with this code.
    package var status: Int {
        switch self {
        case .badRequest: 400
        case .unauthorized: 401
        case .topicNotFound, .notFound: 404
        case .methodNotAllowed: 405
        case .requestTimeout: 408
        case .topicExists: 409
        case .tooLarge: 413
        case .targetTooLong: 414
        case .unsupportedEncoding: 415
        case .expectationFailed: 417
        case .upgradeRequired: 426
        case .headTooLarge: 431
        case .forbidden, .forbiddenOrigin, .forbiddenHost, .kicked: 403
        case .rateLimited: 429
        case .slowConsumer, .unavailable, .overloaded: 503
        case .internal: 500
        case .notImplemented: 501
        case .versionNotSupported: 505
        }
    }

    /// A short human-readable title, the same for every occurrence (RFC 9457 section 3.1.3).
    package var title: String {
        switch self {
        case .badRequest: "Bad request"
        case .unauthorized: "Unauthorized"
        case .topicNotFound: "Topic not found"
        case .notFound: "Not found"
        case .methodNotAllowed: "Method not allowed"
        case .topicExists: "Topic exists"
        case .requestTimeout: "Request timeout"
        case .tooLarge: "Too large"
        case .targetTooLong: "Target too long"
        case .unsupportedEncoding: "Unsupported content encoding"
        case .expectationFailed: "Expectation failed"
        case .upgradeRequired: "Upgrade required"
        case .headTooLarge: "Head too large"
        case .slowConsumer: "Slow consumer"
        case .unavailable: "Unavailable"
        case .forbidden: "Forbidden"
        case .forbiddenOrigin: "Forbidden origin"
        case .forbiddenHost: "Forbidden host"
        case .rateLimited: "Rate limited"
        case .overloaded: "Overloaded"
        case .kicked: "Closed by an administrator"
        case .internal: "Internal error"
        case .notImplemented: "Not implemented"
        case .versionNotSupported: "HTTP version not supported"
        }
    }
}

/// Why the server ends a connection: a WebSocket close code and a machine-readable reason (RFC 6455 section 7.4).
package struct Disconnect: Sendable, Equatable {
    package let code: UInt16
    /// At most 123 bytes, so that it fits into a control frame.
    package let reason: String

    private init(_ code: UInt16, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    package static let topicDeleted = Disconnect(1000, "TOPIC_DELETED")
    package static let shutdown = Disconnect(1001, "SHUTDOWN")
    package static let protocolError = Disconnect(1002, "PROTOCOL_ERROR")
    package static let invalidUTF8 = Disconnect(1007, "INVALID_UTF8")
    package static let invalidCompression = Disconnect(1007, "INVALID_COMPRESSION")
    package static let slowConsumer = Disconnect(1008, "SLOW_CONSUMER")
    package static let unauthorized = Disconnect(1008, "UNAUTHORIZED")
    package static let forbidden = Disconnect(1008, "FORBIDDEN")
    package static let tokenExpired = Disconnect(1008, "TOKEN_EXPIRED")
    package static let revoked = Disconnect(1008, "REVOKED")
    package static let kicked = Disconnect(1008, ErrorCode.kicked.rawValue)
    package static let rateLimited = Disconnect(1008, "RATE_LIMITED")
    package static let noPong = Disconnect(1008, "NO_PONG")
    package static let messageTooBig = Disconnect(1009, "MESSAGE_TOO_BIG")
    package static let overloaded = Disconnect(1013, "OVERLOADED")

    /// The reasons of all of these.
    package static let reasons = Set(
        [
            topicDeleted, shutdown, protocolError, invalidUTF8, invalidCompression, slowConsumer, unauthorized,
            forbidden, tokenExpired, revoked, kicked, rateLimited, noPong, messageTooBig, overloaded,
        ].map(\.reason)
    )
}
