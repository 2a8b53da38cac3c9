import ApusClient
import ApusProtocol
import NIOCore
import NIOHTTP1
import NIOWebSocket

// The WebSocket itself: RFC 6455.

extension ConformanceCheck {
    private static let part = Place.contract(6)

    static let handshakes: [ConformanceCheck] = [
        Self("ws.plain-request", part, "A request for /ws that is no handshake gets 400 or 426.") { bench in
            let answer = try await bench.send(.GET, "/ws")
            try require([400, 426].contains(answer.status), "the status must be 400 or 426, not \(answer.status)")
        },
        Self("ws.ping-frame", part, "A ping frame is answered by a pong frame with the same bytes.") { bench in
            let peer = try await bench.peer(seesControlFrames: true)
            try await peer.frame(.ping, Array("apus".utf8))
            while true {
                switch try await peer.message() {
                case .pong(let data):
                    return try require(data == ByteBuffer(string: "apus"), "the pong has other bytes than the ping")
                case .close(let close): throw Fault("the connection is closed with \(close.code)")
                default: continue
                }
            }
        },
        Self("ws.close", part, "A close frame is answered by one with the same code.") { bench in
            let peer = try await bench.peer()
            await peer.connection.close(code: 1001, timeout: TimeAmount(bench.server.patience))
            try await peer.expectClose(1001)
        },
        Self("ws.before-close", part, "What comes before a close frame is done.") { bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            let message = Bench.message()
            try await peer.send(Peer.publication(name, message.text))
            await peer.connection.close(timeout: TimeAmount(bench.server.patience))
            let reader = try await bench.peer()
            try await reader.subscribed(name, as: "c", #","last_n":1"#)
            try await reader.expectEvent(of: message.id)
        },
    ]

    static let frames = messages + violations

    private static let messages: [ConformanceCheck] = [
        Self("frames.fragments", part, "A message may come in fragments.") { bench in
            let peer = try await bench.peer()
            try await sendInParts(peer)
            try await peer.expect(["type": #""pong""#, "request_id": #""f""#])
        },
        Self("frames.interleaved", part, "A control frame may come between the fragments of a message.") { bench in
            let peer = try await bench.peer()
            try await sendInParts(peer) { try await peer.frame(.ping, [1]) }
            try await peer.expect(["type": #""pong""#, "request_id": #""f""#])
        },
        Self("frames.binary", .contract(2), "A binary message with JSON text is a command.") { bench in
            let peer = try await bench.peer()
            try await peer.frame(.binary, Array(#"{"type":"ping","request_id":"b"}"#.utf8))
            try await peer.expect(["type": #""pong""#, "request_id": #""b""#])
        },
        Self("frames.binary-no-text", .contract(3), "A binary message that is not UTF-8 is BAD_REQUEST.") {
            bench in
            let peer = try await bench.peer()
            try await peer.frame(.binary, [0x7B, 0xFF, 0xFE])
            try await peer.expectError(.badRequest)
            try await peer.expectNothing()
        },
        Self("frames.large", part, "A message of 64 KiB is taken, and delivered as it is.") { bench in
            let (name, peer) = (try await bench.topic(), try await bench.peer())
            let message = Bench.message(String(repeating: "x", count: 64 << 10).quoted)
            try await peer.subscribed(name)
            try await peer.published(name, message.text)
            try await peer.expectEvent(name, message.text)
        },
    ]

    private static let violations: [ConformanceCheck] = [
        Self("frames.not-utf8", .contract(3), "A text message that is not UTF-8 is closed with 1007.") {
            bench in
            let peer = try await bench.peer()
            try await peer.frame(.text, [0x22, 0xC3, 0x28, 0x22])
            try await peer.expectClose(1007)
        },
        Self("frames.unmasked", part, "A frame without a mask is closed with 1002.") { bench in
            let peer = try await bench.peer()
            try await peer.frame(.text, Array(#"{"type":"ping"}"#.utf8), isMasked: false)
            try await peer.expectClose(1002)
        },
        Self("frames.reserved-bit", part, "A frame with a reserved bit that was not negotiated is closed with 1002.") {
            bench in
            let peer = try await bench.peer()
            try await peer.frame(.text, Array(#"{"type":"ping"}"#.utf8), isReserved: true)
            try await peer.expectClose(1002)
        },
        Self("frames.unknown-opcode", part, "A frame of an unknown kind is closed with 1002.") { bench in
            let peer = try await bench.peer()
            guard let opcode = WebSocketOpcode(encodedWebSocketOpcode: 3) else { return }
            try await peer.frame(opcode, [1])
            try await peer.expectClose(1002)
        },
        Self("frames.fragmented-control", part, "A control frame in fragments is closed with 1002.") { bench in
            let peer = try await bench.peer()
            try await peer.frame(.ping, [1], isLast: false)
            try await peer.expectClose(1002)
        },
        Self("frames.long-control", part, "A control frame of over 125 bytes is closed with 1002.") { bench in
            let peer = try await bench.peer()
            try await peer.frame(.ping, [UInt8](repeating: 1, count: 126))
            try await peer.expectClose(1002)
        },
        Self("frames.lone-continuation", part, "A continuation without a message is closed with 1002.") { bench in
            let peer = try await bench.peer()
            try await peer.frame(.continuation, [1])
            try await peer.expectClose(1002)
        },
        Self("frames.too-big", part, "A message over the server's bound is closed with 1009.") { bench in
            let peer = try await bench.peer()
            // Twice the default. A server with a larger bound answers.
            let size = 2 << 20
            try await peer.send(#"{"type":"ping","request_id":"big","x":"\#(String(repeating: "x", count: size))"}"#)
            switch try await peer.message() {
            case .close(let close):
                try require(close.code == 1009, "the connection must be closed with 1009, not \(close.code)")
            default: throw NotApplicable("this server takes messages of 2 MiB")
            }
        },
    ]

    private static func sendInParts(
        _ peer: Peer,
        between: @Sendable () async throws -> Void = {}
    ) async throws {
        try await peer.frame(.text, Array(#"{"type":"pi"#.utf8), isLast: false)
        try await between()
        try await peer.frame(.continuation, Array(#"ng","request"#.utf8), isLast: false)
        try await between()
        try await peer.frame(.continuation, Array(#"_id":"f"}"#.utf8))
    }
}
