public import NIOCore

/// What a WebSocket connection delivers.
public enum WebSocketMessage: Sendable, Hashable {
    /// A text message.
    case text(String)
    /// A binary message.
    case binary(ByteBuffer)
    /// A ping, already answered where `answersPings` is on; only with `deliversControlFrames`.
    case ping(ByteBuffer)
    /// A pong; only with `deliversControlFrames`.
    case pong(ByteBuffer)
    /// The connection ended; always the last one.
    case close(WebSocketClose)

    /// The text, if it is a text message.
    public var text: String? {
        guard case .text(let text) = self else { return nil }
        return text
    }

    /// The bytes that it counts for in the inbox.
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
    /// The peer's close code; 1005 when its close frame had none, 1006 when there was no close frame (RFC 6455, 7.4.1).
    public let code: UInt16
    /// The peer's reason; empty when it gave none.
    public let reason: String

    /// Makes a close of its parts.
    public init(code: UInt16, reason: String = "") {
        self.code = code
        self.reason = reason
    }

    /// The purpose is fulfilled.
    public static let normal: UInt16 = 1000
    /// The peer goes away.
    public static let goingAway: UInt16 = 1001
    /// A message was larger than the peer takes.
    public static let messageTooBig: UInt16 = 1009
    /// The close frame had no code.
    public static let noCode: UInt16 = 1005
    /// There was no close frame.
    public static let abnormal: UInt16 = 1006
}
