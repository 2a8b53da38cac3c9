import ApusBroker
import ApusProtocol
import NIOCore

/// Sends every message back unchanged. It uses the product's connection handler, for RFC 6455 test suites.
final class EchoSession: WebSocketSession {
    private let connection: WebSocketConnection

    init(connection: WebSocketConnection) {
        self.connection = connection
    }

    func received(_ message: UnsafeRawBufferPointer, isText: Bool, mayStage: Bool) -> UnsafeRawBufferPointer? {
        let opcode: Opcode = isText ? .text : .binary
        if let window = connection.window, let compressor = connection.context.hub.compressor {
            // Compress all messages: test suites expect it.
            compressor.append(message, as: opcode, for: window, always: true, to: &connection.context.replies)
            return nil
        }
        let size = FrameHeader.size(payload: message.count)
        connection.context.replies.writeWithUnsafeMutableBytes(minimumWritableBytes: size + message.count) { space in
            guard let base = space.baseAddress else { return 0 }
            FrameHeader.write(opcode, payload: message.count, to: base)
            if let source = message.baseAddress { (base + size).copyMemory(from: source, byteCount: message.count) }
            return size + message.count
        }
        return nil
    }

    func commit() -> UnsafeRawBufferPointer? { nil }
    func becameWritable() {}
    var isDrained: Bool { true }
    func willDisconnect(_ reason: Disconnect) {}
    func ended() {}
    func checkAccess() {}
    func ratesChanged() {}
    func tick(now: Int64) {}
}
