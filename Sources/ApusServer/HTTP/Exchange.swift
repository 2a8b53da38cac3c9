import NIOHTTP1

/// A request on its connection, from its head to the end of its response.
struct Exchange: Equatable {
    enum Answer {
        case none
        case begun
        case ended
    }

    /// The largest rest of a request, in bytes, that is discarded after an early response. With a larger rest the
    /// connection ends after the response.
    static let discardedBody = 64 * 1024

    private let method: HTTPMethod
    private let speaksHTTP10: Bool
    private let body: RequestTerms.Body
    /// Whether the client holds its body back until it gets a `100 Continue`.
    private(set) var awaitsContinue: Bool
    /// Whether the connection ends after the response.
    private(set) var closes: Bool
    /// Whether the request is complete, or its rest is ignored.
    private(set) var isRead = false
    /// Whether the rest of the request will never arrive.
    private(set) var isBroken = false
    private(set) var answer = Answer.none
    /// Whether a body follows the head of the response.
    private(set) var hasBody = false
    /// How many bytes of the body have arrived.
    private(set) var received = 0

    init(_ head: HTTPRequestHead, _ terms: RequestTerms) {
        method = head.method
        // An HTTP/1.0 client may not know chunks: its response ends with the connection (RFC 9112 section 6.3).
        speaksHTTP10 = head.version == .http1_0
        body = terms.body
        awaitsContinue = terms.awaitsContinue
        closes = speaksHTTP10 || !head.isKeepAlive
    }

    mutating func receivedBody(_ count: Int) {
        received += count
        awaitsContinue = false
    }

    mutating func receivedEnd() {
        isRead = true
    }

    mutating func breakOff() {
        isRead = true
        isBroken = true
        closes = true
    }

    /// Whether to send a `100 Continue` now. Returns `true` at most once.
    mutating func goesOn() -> Bool {
        defer { awaitsContinue = false }
        return awaitsContinue && answer == .none
    }

    /// Frames a response, so that the client can tell where it ends.
    mutating func begin(_ head: inout HTTPResponseHead) {
        answer = .begun
        head.headers.remove(name: "transfer-encoding")
        if speaksHTTP10 { head.version = .http1_0 }
        // A route may also end the connection.
        if !head.isKeepAlive || !isRead && !discardsBody { closes = true }
        // The response to HEAD has the size of the response to GET, or none; no body follows (RFC 9110 section 9.3.2).
        hasBody = method != .HEAD && head.status.mayHaveResponseBody
        if hasBody, !speaksHTTP10, !head.headers.contains(name: "content-length") {
            head.headers.add(name: "transfer-encoding", value: "chunked")
        }
        if closes { head.headers.replaceOrAdd(name: "connection", value: "close") }
    }

    mutating func end() {
        answer = .ended
    }

    /// Whether the rest of the request is small enough to read and discard.
    private var discardsBody: Bool {
        switch body {
        case .none: true
        case .size(let size): !awaitsContinue && size - received <= Self.discardedBody
        case .chunked: false
        }
    }
}
