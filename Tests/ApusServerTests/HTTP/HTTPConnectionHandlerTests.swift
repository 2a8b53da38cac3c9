import ApusProtocol
import NIOCore
import NIOHTTP1
import Testing

@testable import ApusServer

/// What comes over the wire, and what the router gets of it.
@Suite struct HTTPConnectionHandlerTests {
    private func request(_ line: String, _ fields: String...) -> String {
        ([line + " HTTP/1.1", "Host: a"] + fields).joined(separator: "\r\n") + "\r\n\r\n"
    }

    private static let upgrade = [
        "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ].joined(separator: "\r\n")

    // MARK: Answers

    @Test func `a request is answered, and the connection stays`() throws {
        let http = try EmbeddedHTTP()
        for _ in 0..<3 {
            try http.send(request("GET /a"))
            #expect(http.route.takeSeen() == ["GET /a", "end"])
            http.route.answer(.ok, "hello")
            #expect(try http.received() == "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        }
        #expect(http.closes.isEmpty)
        #expect(http.request?.address == "127.0.0.1:8080")
    }

    @Test func `the answer to HEAD has no body`() throws {
        let http = try EmbeddedHTTP()
        try http.send(request("HEAD /a"))
        http.route.answer(.ok, "hello")
        #expect(try http.received() == "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        // A refusal has none either.
        try http.send("HEAD /a HTTP/1.1\r\n\r\n")
        let refusal = try http.received()
        #expect(refusal.hasPrefix("HTTP/1.1 400 ") && refusal.hasSuffix("\r\n\r\n"))
    }

    @Test func `whoever asks for the end, or speaks HTTP 1 dot 0, gets it after the answer`() throws {
        for text in [
            request("GET /a", "Connection: close"), "GET /a HTTP/1.0\r\n\r\n",
            "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        ] {
            let http = try EmbeddedHTTP()
            try http.send(text)
            #expect(http.route.takeSeen() == ["GET /a", "end"])
            http.route.answer(.ok, "hello")
            #expect(try http.received().contains("connection: close\r\n"), "\(text)")
            #expect(http.closes == ["output"])
            // More requests are ignored until the client closes, or for a while.
            try http.send(request("GET /b"))
            #expect(http.route.takeSeen() == [])
            http.advance(.seconds(2))
            #expect(http.closes == ["output", "all"])
        }
    }

    @Test func `requests that come at once are answered in order`() throws {
        let http = try EmbeddedHTTP()
        try http.send((1...5).map { request("GET /\($0)") }.joined())
        for number in 1...5 {
            #expect(http.route.takeSeen() == ["GET /\(number)", "end"])
            http.route.answer(.ok, "\(number)")
            #expect(try http.received().hasSuffix("\r\n\r\n\(number)"))
        }
        #expect(http.route.takeSeen() == [])
    }

    @Test func `more than is decoded at a time waits for its turn, too`() throws {
        let http = try EmbeddedHTTP()
        let count = 3 * InputPacer.portion / request("GET /1000").utf8.count
        try http.send((1000..<1000 + count).map { request("GET /\($0)") }.joined())
        for number in 1000..<1000 + count {
            #expect(http.route.takeSeen() == ["GET /\(number)", "end"])
            http.route.answer()
            _ = try http.received()
        }
    }

    @Test func `a refusal behind a request has its turn, and is the last`() throws {
        let http = try EmbeddedHTTP()
        try http.send(request("GET /a") + "rubbish\r\n\r\n" + request("GET /b"))
        #expect(try http.received() == "")
        http.route.answer(.noContent)
        #expect(try http.statuses() == ["204", "400"])
        #expect(http.route.takeSeen() == ["GET /a", "end"])
        #expect(http.closes == ["output"])
    }

    // MARK: Heads

    @Test(arguments: [
        ("GET /a HTTP/1.1\r\n\r\n", "400"), ("GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"),
        ("GET /a HTTP/1.1\r\nHost: a b\r\n\r\n", "400"), ("GET /a HTTP/1.1\r\nHost:\r\n\r\n", "400"),
        ("GET /a HTTP/2.0\r\nHost: a\r\n\r\n", "505"), ("rubbish\r\n\r\n", "400"),
        ("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "501"),
        ("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "400"),
        ("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: more\r\n\r\n", "417"),
        ("GET /" + String(repeating: "a", count: 70_000) + " HTTP/1.1\r\nHost: a\r\n\r\n", "414"),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "a", count: 70_000) + "\r\n\r\n", "431"),
    ])
    func `a head that no router can serve is refused, counted, and the connection ends`(
        text: String,
        status: String
    ) throws {
        let http = try EmbeddedHTTP()
        try http.send(text)
        let answer = try http.received()
        #expect(answer.hasPrefix("HTTP/1.1 \(status) "))
        #expect(answer.contains("Connection: close\r\n") && answer.contains("\"status\":\(status)"))
        #expect(http.route.seen.isEmpty && http.closes == ["output"])
        let counted = String(buffer: PrometheusText.write(http.registry.families))
        #expect(counted.contains("status=\"\(status)\"} 1"))
    }

    @Test func `an older client needs no host`() throws {
        let http = try EmbeddedHTTP()
        try http.send("GET /a HTTP/1.0\r\n\r\n")
        #expect(http.route.takeSeen() == ["GET /a", "end"])
    }

    // MARK: Bodies

    @Test func `a client that waits is told to go on when its body is wanted`() throws {
        let http = try EmbeddedHTTP()
        try http.send(request("POST /a", "Content-Length: 5", "Expect: 100-continue"))
        #expect(http.route.takeSeen() == ["POST /a"])
        #expect(try http.received() == "")
        _ = http.handler.askForBody()
        #expect(try http.received() == "HTTP/1.1 100 Continue\r\n\r\n")
        _ = http.handler.askForBody()
        #expect(try http.received() == "")
        try http.send("hello")
        #expect(http.route.takeSeen() == ["body 5", "end"])
        http.route.answer(.created)
        #expect(try http.statuses() == ["201"])
        #expect(http.closes.isEmpty)
    }

    @Test func `a client that waits gets a final answer and the end when its body is not wanted`() throws {
        let http = try EmbeddedHTTP()
        try http.send(request("POST /a", "Content-Length: 5", "Expect: 100-continue"))
        http.route.answer(.notFound)
        let answer = try http.received()
        #expect(answer.hasPrefix("HTTP/1.1 404 ") && answer.contains("connection: close"))
        #expect(http.closes == ["output"])
    }

    @Test func `chunks are put together, and one that is none breaks the request off`() throws {
        let http = try EmbeddedHTTP()
        try http.send(request("POST /a", "Transfer-Encoding: chunked") + "5\r\nhello\r\n0\r\n\r\n")
        #expect(http.route.takeSeen() == ["POST /a", "body 5", "end"])
        http.route.answer()
        try http.send(request("POST /a", "Transfer-Encoding: chunked") + "5\r\nhello\r\nx\r\n")
        #expect(http.route.takeSeen() == ["POST /a", "body 5", "fault 400"])
        http.route.answer(.badRequest)
        #expect(try http.statuses() == ["200", "400"])
        #expect(http.closes == ["output"])
    }

    @Test func `a body that breaks off is the client's fault`() throws {
        let http = try EmbeddedHTTP()
        try http.send(request("POST /a", "Content-Length: 10") + "hello")
        http.halfClose()
        #expect(http.route.takeSeen() == ["POST /a", "body 5", "fault 400"])
        http.route.answer(.badRequest)
        #expect(try http.statuses() == ["400"])
        // The client has closed its side already.
        #expect(http.closes == ["all"])
    }

    @Test func `a small body that nobody wanted keeps the connection, and a large one does not`() throws {
        let http = try EmbeddedHTTP()
        try http.send(request("POST /a", "Content-Length: 10"))
        http.route.answer(.notFound)
        try http.send("0123456789" + request("GET /b"))
        #expect(http.route.takeSeen() == ["POST /a", "body 10", "end", "GET /b", "end"])
        http.route.answer()
        try http.send(request("POST /a", "Content-Length: 1000000"))
        http.route.answer(.notFound)
        #expect(try http.statuses() == ["404", "200", "404"])
        #expect(http.closes == ["output"])
    }

    // MARK: Handshakes

    @Test func `a handshake behind a request is answered in its turn, and the channel is done`() throws {
        let http = try EmbeddedHTTP()
        try http.send(request("GET /a") + request("GET /ws", Self.upgrade))
        #expect(http.route.takeSeen() == ["GET /a", "end"])
        #expect(try http.received() == "")
        http.route.answer(.noContent)
        #expect(try http.statuses() == ["204", "101"])
        #expect(http.route.takeSeen() == [])
        #expect(http.closes == ["all"])
        #expect(http.gate.refused.isEmpty)
    }

    @Test func `a handshake that is refused behind a request is counted as one`() throws {
        let http = try EmbeddedHTTP()
        try http.send(request("GET /a") + request("GET /full", Self.upgrade))
        http.route.answer(.noContent)
        #expect(try http.statuses() == ["204", "503"])
        #expect(http.gate.refused == ["max_connections 503"])
        #expect(http.closes == ["output"])
    }
}
