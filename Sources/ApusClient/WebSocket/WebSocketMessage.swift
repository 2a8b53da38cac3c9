public import NIOCore

/// A message from a WebSocket connection.
public enum WebSocketMessage: Sendable, Hashable {
    /// A text message.
    case text(String)
    /// A binary message.
    case binary(ByteBuffer)
    /// A ping, already answered. Delivered only with `deliversControlFrames`.
    case ping(ByteBuffer)
    /// A pong. Delivered only with `deliversControlFrames`.
    case pong(ByteBuffer)
    /// The end of the connection. Always the last message.
    case close(WebSocketClose)

    /// The text, or `nil` if this is not a text message.
    public var text: String? {
        guard case .text(let text) = self else { return nil }
        return text
    }

    /// The size that counts for the inbox's limit, in bytes.
    var byteCount: Int {
        switch self {
        case .text(let text): text.utf8.count
        case .binary(let data), .ping(let data), .pong(let data): data.readableBytes
        case .close: 0
        }
    }
}

/// How a connection ended.
public struct WebSocketClose: Sendable, Hashable {
    /// The peer's close code; 1005 if its close frame had no code, 1006 if there was no close frame (RFC 6455, 7.4.1).
    public let code: UInt16
    /// The peer's reason; empty if it gave none.
    public let reason: String

    /// Creates a close from a code and a reason.
    public init(code: UInt16, reason: String = "") {
        self.code = code
        self.reason = reason
    }

    /// The purpose of the connection is fulfilled.
    public static let normal: UInt16 = 1000
    /// The peer is going away.
    public static let goingAway: UInt16 = 1001
    /// A message was larger than the peer accepts.
    public static let messageTooBig: UInt16 = 1009
    /// The close frame had no code.
    public static let noCode: UInt16 = 1005
    /// There was no close frame.
    public static let abnormal: UInt16 = 1006
}
