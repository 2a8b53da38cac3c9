import ApusTesting
import Testing

@testable import ApusServer

@Suite struct RequestHeadTests {
    private static let good = """
        GET /v1/ws?api_key=secret HTTP/1.1\r
        Host: example.com:8080\r
        Upgrade: websocket\r
        Connection: keep-alive, Upgrade\r
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
        Sec-WebSocket-Version: 13\r
        \r

        """

    private enum Outcome: Equatable {
        case head(size: Int)
        case incomplete
        case other
    }

    private func parse(_ bytes: some Sequence<UInt8>) -> RequestHead.ParseResult {
        Array(bytes).withUnsafeBytes { RequestHead.parse($0) }
    }

    private func outcome(_ bytes: some Sequence<UInt8>) -> Outcome {
        switch parse(bytes) {
        case .head(_, let size): .head(size: size)
        case .incomplete: .incomplete
        case .other: .other
        }
    }

    private func outcome(_ text: String) -> Outcome { outcome(text.utf8) }

    private func head(_ text: String) throws -> RequestHead {
        guard case .head(let head, _) = parse(text.utf8) else { throw NoHead() }
        return head
    }

    private struct NoHead: Error {}

    // MARK: In order

    @Test func `a handshake's head is read`() throws {
        let head = try head(Self.good)
        #expect(head.path == "/v1/ws")
        #expect(head.query == "api_key=secret")
        #expect(
            head.headers == [
                "host": "example.com:8080", "upgrade": "websocket", "connection": "keep-alive, Upgrade",
                "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==", "sec-websocket-version": "13",
            ]
        )
    }

    @Test func `every prefix of a head may become one`() {
        let bytes = Array(Self.good.utf8)
        for count in 0..<bytes.count { #expect(outcome(bytes[..<count]) == .incomplete, "\(count)") }
        #expect(outcome(bytes) == .head(size: bytes.count))
    }

    @Test func `what is behind a head is not part of it, whatever it is`() {
        for rest in [[0x81, 0x80, 0, 0, 0, 0], Array("GET / HTTP/1.1\r\n\r\n".utf8), [0x0A], [0x0D, 0x0A, 0]] {
            #expect(outcome(Array(Self.good.utf8) + rest) == .head(size: Self.good.utf8.count))
        }
    }

    @Test(arguments: [
        ("/", "/", ""), ("/ws", "/ws", ""), ("/ws?", "/ws", ""), ("/ws?a=b?c", "/ws", "a=b?c"), ("/?x", "/", "x"),
        ("//ws", "//ws", ""), ("/%77s", "/%77s", ""), ("/ws#x", "/ws#x", ""),
    ])
    func `a target is a path and what is behind its first question mark`(target: String, path: String, query: String)
        throws
    {
        let head = try head("GET \(target) HTTP/1.1\r\n\r\n")
        #expect(head.path == path)
        #expect(head.query == query)
        #expect(head.headers.isEmpty)
    }

    @Test func `a header's name has no case, and its value no blanks around it`() throws {
        let head = try head("GET / HTTP/1.1\r\nX-A_9:\t one  two \t\r\nEMPTY:\r\nblank:  \r\nc:a:b\r\n\r\n")
        #expect(head.headers == ["x-a_9": "one  two", "empty": "", "blank": "", "c": "a:b"])
    }

    @Test func `values that are given twice are one list, in their order`() throws {
        let head = try head("GET / HTTP/1.1\r\nConnection: a\r\nX: 1\r\nconnection: b, c\r\nCONNECTION:\r\n\r\n")
        #expect(head.headers == ["connection": "a,b, c,", "x": "1"])
    }

    @Test func `a head names one host, and a second one leaves it to others`() throws {
        for (field, isNamed) in [("Host: a:80", true), ("host:[::1]", true), ("Host: ", false), ("Host: a b", false)] {
            #expect(try head("GET / HTTP/1.1\r\n\(field)\r\n\r\n").namesHost == isNamed)
        }
        #expect(try !head("GET / HTTP/1.1\r\nX: a\r\n\r\n").namesHost)
        for second in ["Host: a", "HOST: b", "host:"] {
            #expect(outcome("GET / HTTP/1.1\r\nHost: a\r\n\(second)\r\n\r\n") == .other)
        }
    }

    @Test func `64 headers are looked at, and 65 are not`() throws {
        func text(_ count: Int) -> String {
            "GET / HTTP/1.1\r\n" + (0..<count).map { "h\($0): \($0)\r\n" }.joined() + "\r\n"
        }
        #expect(try head(text(64)).headers.count == 64)
        #expect(outcome(text(65)) == .other)
        #expect(outcome(text(1000)) == .other)
        // Of one name they are as many.
        #expect(outcome("GET / HTTP/1.1\r\n" + String(repeating: "a: b\r\n", count: 65) + "\r\n") == .other)
    }

    // MARK: Out of order

    @Test(arguments: [
        "get /ws HTTP/1.1", "Get /ws HTTP/1.1", "POST /ws HTTP/1.1", "HEAD /ws HTTP/1.1", "OPTIONS * HTTP/1.1",
        "CONNECT a:1 HTTP/1.1", "GETS /ws HTTP/1.1", " GET /ws HTTP/1.1", "GET\t/ws HTTP/1.1", "GET  /ws HTTP/1.1",
        "GET /ws  HTTP/1.1", "GET /ws HTTP/1.1 ", "GET /ws x HTTP/1.1", "GET /ws HTTP/1.0", "GET /ws HTTP/2",
        "GET /ws HTTP/2.0", "GET /ws http/1.1", "GET /ws HTTP/1.10", "GET /ws", "GET /", "GET ", "GET  HTTP/1.1",
        "GET ws HTTP/1.1", "GET * HTTP/1.1", "GET http://a/ws HTTP/1.1", "GET ?x HTTP/1.1", "GET /w\u{0}s HTTP/1.1",
        "GET /w\u{7F}s HTTP/1.1", "GET /wß HTTP/1.1", "GET /w\rs HTTP/1.1", "",
    ])
    func `a request line that is not a plain GET of a path is left to others`(line: String) {
        #expect(outcome("\(line)\r\nHost: a\r\n\r\n") == .other)
    }

    @Test func `what does not begin with a GET is known at its first byte`() {
        for byte in UInt8.min...UInt8.max where byte != UInt8(ascii: "G") { #expect(outcome([byte]) == .other) }
        #expect(outcome("P") == .other)
        #expect(outcome("GEX") == .other)
        #expect(outcome([0x16, 0x03, 0x01]) == .other)
    }

    @Test(arguments: [
        "no colon", ": no name", "", " folded: line", "\tfolded", "a b: c", "a : c", "a\t: c", "ä: c", "a: ä",
        "a: \u{0}",
        "a: b\u{7F}", "a: b\rc", "(a): c", "a\u{0}: c", "a/b: c", "a: b\u{1}",
    ])
    func `a header that is out of the ordinary is left to others`(line: String) throws {
        // An empty line is the end.
        guard !line.isEmpty else { return #expect(try head("GET / HTTP/1.1\r\n\r\n").headers.isEmpty) }
        #expect(outcome("GET / HTTP/1.1\r\nHost: a\r\n\(line)\r\nb: c\r\n\r\n") == .other)
        #expect(outcome("GET / HTTP/1.1\r\n\(line)\r\n") == .other)
    }

    @Test func `a line that ends without a CR is left to others`() {
        let lines = ["GET / HTTP/1.1", "Host: a", "Upgrade: websocket", ""]
        for bare in lines.indices {
            let text = lines.indices.map { lines[$0] + ($0 == bare ? "\n" : "\r\n") }.joined()
            #expect(outcome(text) == .other)
        }
        #expect(outcome("\n") == .other)
    }

    // MARK: Anything

    @Test func `no bytes whatever do harm, and no size is beyond them`() {
        var random = SystemRandomNumberGenerator()
        let seed = random.next()
        var source = SeededGenerator(seed: seed)
        let alphabet = Array("GET /ws HTTP/1.1\r\n:\r\n\r\n \t,aZ\u{0}\u{FF}".utf8)
        let good = Array(Self.good.utf8)
        for turn in 0..<20_000 {
            var bytes: [UInt8]
            if turn.isMultiple(of: 2) {
                bytes = (0..<Int.random(in: 0...60, using: &source)).map { _ in
                    alphabet.randomElement(using: &source) ?? 0
                }
                if Bool.random(using: &source) { bytes = Array("GET / HTTP/1.1\r\n".utf8) + bytes }
            } else {
                bytes = good
                for _ in 0...Int.random(in: 0...3, using: &source) {
                    let place = Int.random(in: 0..<bytes.count, using: &source)
                    switch Int.random(in: 0..<3, using: &source) {
                    case 0: bytes[place] = UInt8.random(in: 0...255, using: &source)
                    case 1: bytes.remove(at: place)
                    default: bytes.insert(alphabet.randomElement(using: &source) ?? 0, at: place)
                    }
                }
            }
            check(bytes, "seed \(seed)")
        }
    }

    private func check(_ bytes: [UInt8], _ comment: Comment) {
        switch parse(bytes) {
        case .head(let head, let size):
            #expect(size <= bytes.count, comment)
            #expect(bytes[..<size].suffix(4).elementsEqual("\r\n\r\n".utf8), comment)
            #expect(head.path.hasPrefix("/"), comment)
            #expect(head.headers.keys.allSatisfy { $0 == $0.lowercased() && !$0.isEmpty }, comment)
            // Its beginnings are beginnings.
            #expect(outcome(bytes[..<(size - 1)]) == .incomplete, comment)
        case .incomplete:
            // More cannot undo what is there: it is a head, a beginning, or something else once it is more.
            #expect(!bytes.containsEmptyLine, comment)
        case .other:
            #expect(outcome(bytes + [0x0D, 0x0A, 0x0D, 0x0A]) == .other, comment)
        }
    }
}

extension [UInt8] {
    fileprivate var containsEmptyLine: Bool {
        indices.dropLast(3).contains { self[$0..<($0 + 4)].elementsEqual("\r\n\r\n".utf8) }
    }
}
