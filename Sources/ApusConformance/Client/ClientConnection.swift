import ApusClient
import ApusProtocol
import NIOCore
import NIOHTTP1
import NIOWebSocket

/// What the client under test sent.
enum ClientFrame: Sendable {
    case command(Reply)
    case pong(ByteBuffer)
    case close(UInt16?)
    /// It broke RFC 6455, or sent what is no command.
    case violation(String)
}

/// A connection of the client under test.
struct ClientConnection: Sendable, Equatable {
    let channel: any Channel
    let dialect: Dialect

    static func == (left: ClientConnection, right: ClientConnection) -> Bool { left.channel === right.channel }

    // MARK: Sending

    private func write(_ opcode: WebSocketOpcode, _ data: ByteBuffer) {
        channel.writeAndFlush(WebSocketFrame(fin: true, opcode: opcode, data: data), promise: nil)
    }

    /// Sends a message, whose members are given without its time.
    func send(_ members: String) {
        let time = dialect == .base ? "ts" : "timestamp"
        write(.text, ByteBuffer(string: "{\(members),\"\(time)\":\"2026-11-21T10:00:00.123Z\"}"))
    }

    func ack(_ command: Reply, _ more: String = "") {
        let request = command["request_id"].map { #","request_id":\#($0)"# } ?? ""
        let topic = command["topic"].map { #","topic":\#($0)"# } ?? ""
        send(#""type":"ack"\#(request)\#(topic),"status":"ok"\#(more)"#)
    }

    func ping(_ text: String) { write(.ping, ByteBuffer(string: text)) }

    func close(_ code: UInt16, _ reason: String) {
        var data = ByteBuffer()
        data.writeInteger(code)
        data.writeString(reason)
        write(.connectionClose, data)
    }

    /// Ends TCP without a close frame.
    func cut() { channel.close(promise: nil) }
}

/// Turns the frames of a connection into what the script looks at, and answers pings.
final class ClientFrameHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    private let connection: ClientConnection
    private let group: ClientGroup
    private var joined = ByteBuffer()

    init(_ connection: ClientConnection, in group: ClientGroup) {
        (self.connection, self.group) = (connection, group)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        guard frame.maskKey != nil else { return deliver(.violation("a frame is not masked"), context) }
        var bytes = frame.unmaskedData
        switch frame.opcode {
        case .text, .binary, .continuation:
            if frame.opcode != .continuation { joined.clear() }
            joined.writeBuffer(&bytes)
            guard joined.readableBytes <= ClientScript.maxMessage else {
                return deliver(.violation("a message is larger than 1 MiB"), context)
            }
            if frame.fin { deliver(Self.command(String(buffer: joined)), context) }
        case .ping:
            let pong = WebSocketFrame(fin: true, opcode: .pong, data: bytes)
            context.writeAndFlush(wrapOutboundOut(pong), promise: nil)
        case .pong: deliver(.pong(bytes), context)
        case .connectionClose: deliver(.close(bytes.readInteger()), context)
        default: deliver(.violation("a frame has an unknown opcode"), context)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        group.remove(connection)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func deliver(_ frame: ClientFrame, _ context: ChannelHandlerContext) {
        if !group.push(frame, on: connection) { context.close(promise: nil) }
    }

    private static func command(_ text: String) -> ClientFrame {
        do { return .command(try Reply(text)) } catch {
            return .violation("a message is no JSON object: \(text.shortened)")
        }
    }
}

extension Reply {
    /// The ids of the messages that a publish has.
    var messageIDs: [String] {
        let batch = members["messages"]?.elements ?? []
        let messages = batch + [members["message"]].compactMap { $0 }
        return messages.compactMap { $0.members?["id"]?.stringValue }
    }
}
