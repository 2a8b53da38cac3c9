import NIOHTTP1
import Testing

@testable import ApusServer

@Suite struct ExchangeTests {
    private func exchange(
        _ method: HTTPMethod = .POST,
        _ body: RequestTerms.Body = .none,
        awaitsContinue: Bool = false,
        version: HTTPVersion = .http1_1,
        connection: String? = nil
    ) -> Exchange {
        var head = HTTPRequestHead(version: version, method: method, uri: "/")
        if let connection { head.headers.add(name: "Connection", value: connection) }
        return Exchange(head, RequestTerms(body: body, awaitsContinue: awaitsContinue))
    }

    /// The framing that an answer gets.
    private func framing(_ exchange: inout Exchange, size: Int? = nil) -> [String: String] {
        var head = HTTPResponseHead(version: .http1_1, status: .ok)
        if let size { head.headers.add(name: "Content-Length", value: "\(size)") }
        exchange.begin(&head)
        var seen = ["version": "\(head.version)"]
        for (name, value) in head.headers { seen[name.lowercased()] = value }
        return seen
    }

    @Test func `an answer has a size or is in chunks`() {
        var sized = exchange(.GET)
        #expect(framing(&sized, size: 5) == ["version": "HTTP/1.1", "content-length": "5"])
        var open = exchange(.GET)
        #expect(framing(&open) == ["version": "HTTP/1.1", "transfer-encoding": "chunked"])
        #expect(!open.closes)
    }

    @Test func `an answer to HEAD says how large it would be, and no more`() {
        var sized = exchange(.HEAD)
        #expect(framing(&sized, size: 5) == ["version": "HTTP/1.1", "content-length": "5"])
        var open = exchange(.HEAD)
        #expect(framing(&open) == ["version": "HTTP/1.1"])
        #expect(!open.closes)
    }

    @Test(arguments: [HTTPResponseStatus.notModified, .noContent])
    func `an answer that never has a body has no framing either`(status: HTTPResponseStatus) {
        var exchange = exchange(.GET)
        var head = HTTPResponseHead(version: .http1_1, status: status)
        exchange.begin(&head)
        #expect(head.headers.isEmpty && !exchange.hasBody && !exchange.closes)
    }

    @Test func `a route may end the connection with its answer`() {
        var exchange = exchange(.GET)
        var head = HTTPResponseHead(version: .http1_1, status: .ok, headers: ["Connection": "close"])
        exchange.begin(&head)
        #expect(exchange.closes && exchange.hasBody && head.headers["connection"] == ["close"])
    }

    @Test(arguments: [nil, "keep-alive", "close"])
    func `an answer in an older version ends with the connection`(connection: String?) {
        var exchange = exchange(.GET, version: .http1_0, connection: connection)
        #expect(framing(&exchange) == ["version": "HTTP/1.0", "connection": "close"])
        #expect(exchange.closes)
    }

    @Test(arguments: ["close", "Close", "x, close"])
    func `whoever wants the connection to end is told that it does`(connection: String) {
        var exchange = exchange(.GET, connection: connection)
        #expect(framing(&exchange, size: 0)["connection"] == "close")
    }

    @Test func `an answer before the end of the request ends the connection, unless little is missing`() {
        let limit = Exchange.discardedBody
        for (body, received, closes) in [
            (.size(limit), 0, false), (.size(limit + 1), 0, true), (.size(limit + 1), 1, false), (.size(.max), 5, true),
            (.chunked, 0, true), (.none, 0, false),
        ] as [(RequestTerms.Body, Int, Bool)] {
            var exchange = exchange(.POST, body)
            if received > 0 { exchange.receivedBody(received) }
            #expect((framing(&exchange, size: 0)["connection"] == "close") == closes, "\(body)")
        }
        var whole = exchange(.POST, .chunked)
        whole.receivedBody(100)
        whole.receivedEnd()
        #expect(framing(&whole, size: 0)["connection"] == nil)
    }

    @Test func `whoever holds a body back is told once to go on, or gets an answer and the end`() {
        var told = exchange(.POST, .size(1), awaitsContinue: true)
        let (first, second) = (told.goesOn(), told.goesOn())
        #expect(first && !second)
        #expect(framing(&told, size: 0)["connection"] == nil)

        var answered = exchange(.POST, .size(1), awaitsContinue: true)
        #expect(framing(&answered, size: 0)["connection"] == "close")
        let isToldLate = answered.goesOn()
        #expect(!isToldLate)

        var impatient = exchange(.POST, .size(2), awaitsContinue: true)
        impatient.receivedBody(1)
        let isToldTwice = impatient.goesOn()
        #expect(!isToldTwice)
        #expect(framing(&impatient, size: 0)["connection"] == nil)
    }

    @Test func `a request that broke off is read no more, and the connection ends`() {
        var exchange = exchange(.POST, .size(10))
        exchange.receivedBody(1)
        exchange.breakOff()
        #expect(exchange.isRead && exchange.isBroken && exchange.closes)
        #expect(framing(&exchange, size: 0)["connection"] == "close")
    }
}
