import ApusProtocol
import Testing

@testable import ApusServer

/// What becomes of a connection by its first bytes.
@Suite struct PendingConnectionTests {
    private static let handshake = [
        "GET /ws HTTP/1.1", "Host: a", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "", "",
    ].joined(separator: "\r\n")
    private static let stream = "GET /topics/t/events HTTP/1.1\r\nHost: a\r\n\r\n"

    private static let plain = [
        "GET /topics HTTP/1.1\r\nHost: a\r\n\r\n", "POST /topics HTTP/1.1\r\nHost: a\r\n", "rubbish", "\r\n",
        // What only looks like a handshake or a stream: HTTP says what is wrong.
        handshake.replacing("Version: 13", with: "Version: 12"), handshake.replacing("Host: a\r\n", with: ""),
        handshake.replacing("\r\n\r\n", with: "\r\nContent-Length: 1\r\n\r\nx"),
        handshake.replacing("HTTP/1.1", with: "HTTP/1.0"),
        stream.replacing("/t/", with: "/unknown/"), stream.replacing("/events ", with: "/events?queue=x "),
        stream.replacing("Host: a", with: "Host: a b"), stream.replacing("HTTP/1.1", with: "HTTP/1.0"),
        "GET /events?topic=t&topic=u HTTP/1.1\r\nHost: a\r\n\r\n",
        // A head that is too large for here.
        "GET /ws?" + String(repeating: "a", count: 16 * 1024),
        handshake.replacing("\r\n\r\n", with: "\r\nX: " + String(repeating: "a", count: 16 * 1024)),
    ]

    @Test func `a handshake becomes a connection here, and what follows it is not lost`() async throws {
        try await PendingRig.run { rig in
            let client = try rig.accept()
            client.send(bytes: Array(Self.handshake.utf8) + ClientFrame.text("{").bytes)
            let answer = client.received() ?? ""
            #expect(answer.hasPrefix("HTTP/1.1 101 ") && answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
            #expect(rig.owner.open.value == 1 && client.forHTTP() == nil)
            #expect((answer + (client.received() ?? "")).contains("BAD_REQUEST"))
            client.hangUp()
            #expect(rig.owner.open.value == 0)
        }
    }

    @Test func `a handshake may come byte by byte`() async throws {
        try await PendingRig.run { rig in
            let client = try rig.accept()
            for byte in Self.handshake.utf8.dropLast() {
                client.send(bytes: [byte])
                #expect(client.received() == "")
            }
            client.send("\n")
            #expect(client.received()?.hasPrefix("HTTP/1.1 101 ") == true)
            #expect(rig.owner.open.value == 1)
        }
    }

    @Test func `a request for a stream becomes one here`() async throws {
        try await PendingRig.run { rig in
            let client = try rig.accept()
            client.send(Self.stream)
            let answer = client.received() ?? ""
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream"))
            #expect(answer.hasSuffix("\r\n\r\nretry: 2000\nid: \(rig.owner.epoch):0\n\n"))
            #expect(rig.owner.openStreams.value == 1 && client.forHTTP() == nil)
            client.hangUp()
            #expect(rig.owner.openStreams.value == 0)
        }
    }

    @Test(arguments: PendingConnectionTests.plain)
    func `everything else goes to HTTP, which finds all bytes`(text: String) async throws {
        try await PendingRig.run { rig in
            let client = try rig.accept()
            client.send(text)
            #expect(client.forHTTP() == text && client.received() == "")
            #expect(rig.owner.open.value == 0 && rig.owner.openStreams.value == 0)
        }
    }

    @Test func `a part of a head waits only as long as it may become a handshake`() async throws {
        try await PendingRig.run { rig in
            let client = try rig.accept()
            client.send("GET /")
            #expect(client.forHTTP() == nil)
            client.send("t")
            #expect(client.forHTTP() == "GET /t")
        }
    }

    @Test func `a key is asked for where there are some`() async throws {
        try await PendingRig.run({ $0.access.apiKeys = ["k"] }) { rig in
            for (text, isTaken) in [
                (Self.stream, false), (Self.stream.replacing("/events ", with: "/events?api_key=k "), true),
                (Self.stream.replacing("Host: a", with: "Host: a\r\nX-API-Key: k"), true),
                (Self.stream.replacing("Host: a", with: "Host: a\r\nX-API-Key: wrong"), false),
            ] {
                let client = try rig.accept()
                client.send(text)
                #expect((client.forHTTP() == nil) == isTaken, "\(text)")
            }
        }
    }

    // MARK: Ends

    @Test func `a client that gives up is closed, and one that closes its side behind a part goes to HTTP`()
        async throws
    {
        try await PendingRig.run { rig in
            let silent = try rig.accept()
            silent.finishSending()
            #expect(silent.received() == nil && silent.forHTTP() == nil)
            let broken = try rig.accept()
            broken.send("GET /ws")
            broken.finishSending()
            #expect(broken.forHTTP() == "GET /ws")
        }
    }

    @Test func `a client that is not done in time is refused, or just closed when it sent nothing`() async throws {
        try await PendingRig.run { rig in
            let (silent, slow) = (try rig.accept(), try rig.accept())
            slow.send("GET /ws")
            let now = rig.owner.context.monotonicNow()
            for client in [silent, slow] { client.pending?.tick(now: now - 1) }
            #expect(silent.received() == "" && slow.received() == "")
            for client in [silent, slow] { client.pending?.tick(now: now + 20_000) }
            #expect(silent.received() == nil)
            #expect(slow.received()?.hasPrefix("HTTP/1.1 408 ") == true && slow.received() == nil)
        }
    }
}
