import NIOCore
import NIOWebSocket

/// Joins a server's frames into messages, and checks them against RFC 6455.
struct FrameJoiner {
    enum Result: Equatable {
        /// More fragments must follow.
        case none
        case message(WebSocketMessage)
        case ping(ByteBuffer)
        case pong(ByteBuffer)
        case close(WebSocketClose)
        /// The connection must be failed with this close code.
        case violation(WebSocketErrorCode, String)
    }

    private let maxMessageBytes: Int
    private var opcode: WebSocketOpcode?
    private var fragments = ByteBuffer()

    init(maxMessageBytes: Int) {
        self.maxMessageBytes = maxMessageBytes
    }

    mutating func receive(_ frame: WebSocketFrame) -> Result {
        guard frame.maskKey == nil else { return .violation(.protocolError, "a masked frame from the server") }
        guard !frame.rsv1, !frame.rsv2, !frame.rsv3 else {
            return .violation(.protocolError, "a reserved bit without an extension")
        }
        switch frame.opcode {
        case .text, .binary:
            guard opcode == nil else { return .violation(.protocolError, "a message inside a message") }
            opcode = frame.opcode
            fragments = frame.data
            return finish(frame)
        case .continuation:
            guard opcode != nil else { return .violation(.protocolError, "a continuation of nothing") }
            var data = frame.data
            fragments.writeBuffer(&data)
            return finish(frame)
        case .ping:
            return .ping(frame.data)
        case .pong:
            return .pong(frame.data)
        case .connectionClose:
            return Self.close(frame.data)
        default:
            return .violation(.protocolError, "a reserved opcode")
        }
    }

    private mutating func finish(_ frame: WebSocketFrame) -> Result {
        guard fragments.readableBytes <= maxMessageBytes else {
            return .violation(.messageTooLarge, "a message over \(maxMessageBytes) bytes")
        }
        guard frame.fin else { return .none }
        defer {
            opcode = nil
            fragments = ByteBuffer()
        }
        guard opcode == .text else { return .message(.binary(fragments)) }
        guard let text = String(validating: fragments.readableBytesView, as: UTF8.self) else {
            return .violation(.dataInconsistentWithMessage, "text that is not UTF-8")
        }
        return .message(.text(text))
    }

    private static func close(_ data: ByteBuffer) -> Result {
        var data = data
        guard data.readableBytes > 0 else { return .close(WebSocketClose(code: WebSocketClose.noCode)) }
        guard let code = data.readInteger(as: UInt16.self),
            let reason = String(validating: data.readableBytesView, as: UTF8.self)
        else { return .violation(.protocolError, "a malformed close frame") }
        return .close(WebSocketClose(code: code, reason: reason))
    }
}
