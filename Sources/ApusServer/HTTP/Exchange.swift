import NIOHTTP1

/// A request on its connection, from its head to the end of its answer.
struct Exchange {
    enum Answer {
        case none
        case begun
        case ended
    }

    /// The rest of a request that was answered before it was read is thrown away up to this size; beyond it the
    /// connection ends with the answer.
    static let discardedBody = 64 * 1024

    private let method: HTTPMethod
    private let speaksHTTP10: Bool
    private let body: RequestTerms.Body
    /// Whether the client holds its body back, as it has not been told to go on.
    private(set) var awaitsContinue: Bool
    /// Whether the connection ends with the answer.
    private(set) var closes: Bool
    /// Whether all of the request is there, or nothing more of it counts.
    private(set) var isRead = false
    /// Whether the rest of the request will never come.
    private(set) var isBroken = false
    private(set) var answer = Answer.none
    /// Whether a body follows the head of the answer.
    private(set) var hasBody = false
    /// Bytes of the body.
    private(set) var received = 0

    init(_ head: HTTPRequestHead, _ terms: RequestTerms) {
        method = head.method
        // Such a client may know no chunks: the end of its answer is that of the connection (RFC 9112 section 6.3).
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

    /// Whether the client has to be told to go on; it is told once.
    mutating func goesOn() -> Bool {
        defer { awaitsContinue = false }
        return awaitsContinue && answer == .none
    }

    /// Makes an answer's head one that the client can tell the end of.
    mutating func begin(_ head: inout HTTPResponseHead) {
        answer = .begun
        head.headers.remove(name: "transfer-encoding")
        if speaksHTTP10 { head.version = .http1_0 }
        // A route may end the connection, too.
        if !head.isKeepAlive || !isRead && !discardsBody { closes = true }
        // To HEAD the answer has the size that it would have for GET, or none; no body follows (RFC 9110 section
        // 9.3.2).
        hasBody = method != .HEAD && head.status.mayHaveResponseBody
        if hasBody, !speaksHTTP10, !head.headers.contains(name: "content-length") {
            head.headers.add(name: "transfer-encoding", value: "chunked")
        }
        if closes { head.headers.replaceOrAdd(name: "connection", value: "close") }
    }

    mutating func end() {
        answer = .ended
    }

    /// Whether what is left of the request is small enough to be read for nothing.
    private var discardsBody: Bool {
        switch body {
        case .none: true
        case .size(let size): !awaitsContinue && size - received <= Self.discardedBody
        case .chunked: false
        }
    }
}
