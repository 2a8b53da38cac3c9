import ApusProtocol
import NIOCore
import NIOHTTP1

// Requests on their way to the router, and its responses.

extension HTTPConnectionState {
    static let hasBody = Problem(.badRequest, "A WebSocket handshake has no body")
    static let brokenOff = Problem(.badRequest, "The request broke off")

    // MARK: Requests

    mutating func begin(_ original: HTTPRequestHead, now: NIODeadline) -> [Action] {
        requestStart = now
        var head = original
        let terms: RequestTerms
        do throws(Problem) {
            terms = try RequestTerms(&head)
        } catch {
            return refuse(Refusal(problem: error, head: head, reason: gate.isHandshake(head) ? .malformed : nil))
        }
        guard head.headers.contains(name: "upgrade") else { return serve(head, terms, now: now) }
        switch gate.check(head) {
        case .success(let handshake)?:
            guard terms.body == .none else {
                return refuse(Refusal(problem: Self.hasBody, head: head, reason: .malformed))
            }
            phase = .upgrading(head, handshake)
            return []
        case .failure(let refusal)?:
            return refuse(Refusal(problem: refusal.problem, head: head, reason: refusal.reason))
        case nil:
            // The client asks for another protocol. The server may ignore that (RFC 9110 section 7.8). The decoder has
            // stopped at this request, so it is the last on the connection.
            head.headers.remove(name: "upgrade")
            head.headers.replaceOrAdd(name: "connection", value: "close")
            return serve(head, terms, now: now)
        }
    }

    private mutating func serve(_ head: HTTPRequestHead, _ terms: RequestTerms, now: NIODeadline) -> [Action] {
        hasServed = true
        lastActive = now
        phase = .serving(Exchange(head, terms))
        return [.pass(.head(head))]
    }

    mutating func read(_ part: HTTPServerRequestPart, of exchange: Exchange, now: NIODeadline) -> [Action] {
        var exchange = exchange
        switch part {
        case .head: return []
        case .body(let bytes): exchange.receivedBody(bytes.readableBytes)
        case .end:
            exchange.receivedEnd()
            requestStart = nil
        }
        lastActive = now
        phase = .serving(exchange)
        return [.pass(part)] + finishIfAnswered()
    }

    /// The route reads the body. Returns whether to send a `100 Continue`.
    mutating func bodyIsWanted() -> Bool {
        guard case .serving(var exchange) = phase, exchange.goesOn() else { return false }
        phase = .serving(exchange)
        return true
    }

    // MARK: Responses

    mutating func answered(_ part: HTTPServerResponsePart, now: NIODeadline) -> Writing {
        guard case .serving(var exchange) = phase, exchange.answer != .ended else {
            // In a stream, this is a part of the response that the stream has replaced.
            if case .streaming = phase { return .skip }
            return .fail
        }
        switch part {
        case .head where hasStream:
            hasStream = false
            phase = .streaming
            requestStart = nil
            return .startStream
        case .head(var head):
            exchange.begin(&head)
            phase = .serving(exchange)
            return .write(.head(head))
        case .body:
            return exchange.hasBody ? .write(part) : .skip
        case .end:
            exchange.end()
            lastActive = now
            phase = .serving(exchange)
            let end = finishIfAnswered()
            return .write(.end(nil), then: isQuiescing && end != [.linger] ? end + [.hangUp] : end)
        }
    }

    private mutating func finishIfAnswered() -> [Action] {
        guard case .serving(let exchange) = phase, exchange.answer == .ended else { return [] }
        guard !exchange.closes else { return linger() }
        guard exchange.isRead else { return [] }
        phase = .idle
        headWatch = HeadWatch()
        return [.takeNext]
    }

    // MARK: Requests that are not served

    /// Answers a request that the router cannot serve, and ends the connection: input after such a head cannot be
    /// parsed, or is not wanted.
    mutating func refuse(_ refusal: Refusal) -> [Action] {
        [.refuse(refusal)] + linger()
    }

    /// Tells the router that the rest of its request will not arrive, if it has not responded yet.
    mutating func breakOff(_ problem: Problem) -> [Action] {
        guard case .serving(var exchange) = phase, !exchange.isRead else { return [] }
        requestStart = nil
        exchange.breakOff()
        phase = .serving(exchange)
        return exchange.answer == .ended ? linger() : [.passFault(problem), .endWork]
    }

    /// An error that the decoder reports at its place in the input.
    mutating func failed(_ error: HTTPParserError, now: NIODeadline) -> [Action] {
        arrived(.fault(problem(for: error)), now: now)
    }

    /// An error of the channel. Returns `nil` if it is not the request's.
    mutating func failed() -> [Action]? {
        guard case .serving(let exchange) = phase, !exchange.isRead else { return nil }
        return breakOff(Self.brokenOff)
    }

    private func problem(for error: HTTPParserError) -> Problem {
        switch error {
        case .headerOverflow where headWatch.line > Self.maxHead:
            Problem(.targetTooLong, "The request line is longer than \(Self.maxHead) bytes")
        case .headerOverflow:
            Problem(.headTooLarge, "The head is larger than \(Self.maxHead) bytes, or \(Self.maxFields) fields")
        case .invalidVersion:
            Problem(.versionNotSupported, "Only HTTP/1.1 and HTTP/1.0 are spoken here")
        case .invalidEOFState, .closedConnection:
            Self.brokenOff
        case .invalidChunkSize:
            Problem(.badRequest, "A chunk of the body has no valid size")
        case .invalidContentLength, .unexpectedContentLength:
            Problem(.badRequest, "Content-Length is not one number, or stands beside what it excludes")
        default:
            Problem(.badRequest, "This is no HTTP request, or is not framed as one")
        }
    }
}
