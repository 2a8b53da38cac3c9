import ApusProtocol
import ApusSockets
import Testing

@testable import ApusServer

/// Connections of proxies and of clients that pretend to be some, by their first bytes.
@Suite struct ProxiedConnectionTests {
    static let handshake = [
        "GET /ws HTTP/1.1", "Host: a", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "", "",
    ].joined(separator: "\r\n")
    static let stream = "GET /topics/t/events HTTP/1.1\r\nHost: a\r\n\r\n"
    static let plain = "GET /topics HTTP/1.1\r\nHost: a\r\n\r\n"
    private static let line = Array("PROXY TCP4 203.0.113.5 10.0.0.1 4711 8080\r\n".utf8)
    private static let binary: [UInt8] =
        [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10, 0x21, 0x11, 0, 12] + [203, 0, 113, 5, 10, 0, 0, 1]
        + [0x12, 0x67, 0x1F, 0x90]
    private static let local: [UInt8] = Array(binary[..<12]) + [0x20, 0, 0, 0]

    private static func proxied(_ settings: inout ServerConfiguration) {
        settings.proxies.trusted = TrustedProxies(["10.0.0.0/8", "unix"]) ?? TrustedProxies()
        settings.proxies.speakProxyProtocol = true
    }

    /// Where the only WebSocket or stream of a loop comes from.
    private static func address(_ rig: PendingRig) -> String? {
        let webSocket = rig.owner.context.connections.first?.caller.address
        let stream = rig.owner.context.streams.first.flatMap { $0 as? EventStream }?.caller.address
        return (webSocket ?? stream).map { "\($0)" }
    }

    // MARK: The PROXY protocol

    @Test(arguments: [line, binary], [handshake, stream, plain])
    func `a header tells the client's address, in however many pieces it comes`(header: [UInt8], request: String)
        async throws
    {
        let bytes = header + Array(request.utf8)
        let cuts: [[Int]] =
            [[], [header.count], [1], [header.count - 1], [header.count + 1]] + [Array(1..<bytes.count)]
        for cuts in cuts {
            try await PendingRig.run(Self.proxied) { rig in
                let client = try rig.accept(from: "10.0.0.1")
                for (start, end) in zip([0] + cuts, cuts + [bytes.count]) { client.send(bytes: bytes[start..<end]) }
                if let text = client.forHTTP() {
                    // HTTP gets it with the first byte that is no handshake's, and all bytes behind the header.
                    #expect(request != Self.handshake && text == request)
                    #expect(client.callerForHTTP?.address.description == "203.0.113.5:4711")
                } else {
                    let isStream = request == Self.stream
                    #expect(request != Self.plain)
                    #expect(client.received()?.hasPrefix(isStream ? "HTTP/1.1 200 " : "HTTP/1.1 101 ") == true)
                    #expect(Self.address(rig) == "203.0.113.5:4711")
                }
            }
        }
    }

    @Test func `a proxy that speaks for itself, and one at a Unix socket, have their own address`() async throws {
        try await PendingRig.run(Self.proxied) { rig in
            for (peer, header, address) in [
                ("10.0.0.1", Self.local, "10.0.0.1:4711"), ("unix", Self.local, "unix"),
                ("10.0.0.1", Array("PROXY UNKNOWN\r\n".utf8), "10.0.0.1:4711"),
                ("unix", Self.line, "203.0.113.5:4711"),
            ] {
                let client = try rig.accept(from: peer)
                client.send(bytes: header + Array(Self.handshake.utf8))
                #expect(Self.address(rig) == address)
                client.hangUp()
            }
        }
    }

    @Test func `bytes behind the request are not lost`() async throws {
        try await PendingRig.run(Self.proxied) { rig in
            let client = try rig.accept(from: "10.0.0.1")
            client.send(bytes: Self.binary + Array(Self.handshake.utf8) + ClientFrame.text("{").bytes)
            #expect(((client.received() ?? "") + (client.received() ?? "")).contains("BAD_REQUEST"))
        }
    }

    @Test(arguments: [
        Array(plain.utf8), Array(handshake.utf8), Array("PROXY TCP4 nonsense\r\n".utf8), Array("PROXX".utf8),
        Array(binary.dropLast(14)) + [255, 255], [0],
    ])
    func `a trusted proxy without a valid header is told so`(bytes: [UInt8]) async throws {
        try await PendingRig.run(Self.proxied) { rig in
            let client = try rig.accept(from: "10.0.0.1")
            client.send(bytes: bytes)
            let answer = client.received() ?? ""
            #expect(answer.hasPrefix("HTTP/1.1 400 ") && answer.contains("proxy_protocol"))
            #expect(client.forHTTP() == nil && Self.address(rig) == nil)
            // What comes later is discarded, so that the answer is not lost to a reset.
            client.send("more")
            #expect(client.received() == nil)
            client.hangUp()
            #expect(rig.owner.context.refusedCount == 0)
        }
    }

    @Test func `the header of anybody else, or where the protocol is off, is the start of a request`() async throws {
        for (isOn, peer) in [(true, "192.0.2.1"), (false, "10.0.0.1"), (false, "192.0.2.1")] {
            let change: (inout ServerConfiguration) -> Void = { settings in
                Self.proxied(&settings)
                settings.proxies.speakProxyProtocol = isOn
            }
            try await PendingRig.run(change) { rig in
                let client = try rig.accept(from: peer)
                client.send(bytes: Self.line + Array(Self.handshake.utf8))
                // HTTP finds no request there, and refuses it.
                #expect(client.forHTTP() == String(decoding: Self.line, as: UTF8.self) + Self.handshake)
                #expect(client.callerForHTTP?.address.description == "\(peer):4711")
            }
        }
    }

    @Test func `a header has to come in time, and with the request behind it`() async throws {
        try await PendingRig.run(Self.proxied) { rig in
            let clients = try (0..<3).map { _ in try rig.accept(from: "10.0.0.1") }
            clients[1].send(bytes: Self.line.dropLast())
            clients[2].send(bytes: Self.line)
            let now = rig.owner.context.monotonicNow()
            for client in clients {
                client.pending?.tick(now: now - 1)
                #expect(client.received() == "")
                client.pending?.tick(now: now + 20_000)
            }
            #expect(clients[0].received() == nil && clients[2].received() == nil)
            #expect(clients[1].received()?.hasPrefix("HTTP/1.1 408 ") == true)
            let gone = try rig.accept(from: "10.0.0.1")
            gone.send(bytes: Self.line.dropLast())
            gone.finishSending()
            #expect(gone.received() == nil)
        }
    }

    // MARK: X-Forwarded-For

    private static func from(_ lines: String...) -> String {
        let fields = lines.map { "X-Forwarded-For: \($0)\r\n" }.joined()
        return handshake.replacing("Host: a\r\n", with: "Host: a\r\n" + fields)
    }

    @Test(arguments: [
        ("10.0.0.1", from("203.0.113.5"), "203.0.113.5"), ("unix", from("203.0.113.5"), "203.0.113.5"),
        ("10.0.0.1", from("1.1.1.1", "203.0.113.5", "10.2.2.2"), "203.0.113.5"),
        ("10.0.0.1", from("1.1.1.1, 203.0.113.5", "10.2.2.2"), "203.0.113.5"),
        ("10.0.0.1", handshake, "10.0.0.1:4711"), ("10.0.0.1", from(""), "10.0.0.1:4711"),
        ("10.0.0.1", from("nonsense"), "10.0.0.1:4711"),
        // Forged.
        ("192.0.2.1", from("203.0.113.5"), "192.0.2.1:4711"), ("192.0.2.1", from("10.0.0.1"), "192.0.2.1:4711"),
    ])
    func `a handshake is from whom trusted proxies say`(peer: String, request: String, address: String) async throws {
        let change: (inout ServerConfiguration) -> Void = { settings in
            Self.proxied(&settings)
            settings.proxies.speakProxyProtocol = false
        }
        try await PendingRig.run(change) { rig in
            let client = try rig.accept(from: peer)
            client.send(request)
            #expect(Self.address(rig) == address)
        }
    }

    @Test func `what a client behind the PROXY protocol forges does not count`() async throws {
        try await PendingRig.run(Self.proxied) { rig in
            let client = try rig.accept(from: "10.0.0.1")
            client.send(bytes: Self.line + Array(Self.from("10.9.9.9").utf8))
            #expect(Self.address(rig) == "203.0.113.5:4711")
        }
    }
}
