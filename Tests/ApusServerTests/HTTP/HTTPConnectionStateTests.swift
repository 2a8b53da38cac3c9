import ApusProtocol
import NIOCore
import NIOHTTP1
import Testing

@testable import ApusServer

/// Every event at every place, and what it makes the connection do.
@Suite struct HTTPConnectionStateTests {
    typealias Action = HTTPConnectionState.Action
    typealias Place = HTTPPlace

    private let now = Place.time(1)
    private static let malformed = [
        Action.refuse(.init(problem: HTTPConnectionState.hasBody, head: Place.handshake, reason: .malformed)), .linger,
    ]

    // MARK: Arrivals

    @Test func `a head goes to the router when it is its turn`() {
        let pass = [Action.pass(.head(Place.get))]
        Place.expect([.fresh: pass, .idle: pass, .upgrading: Self.malformed], otherwise: []) {
            $0.arrived(.part(.head(Place.get)), now: now)
        }
        for place in [Place.serving, .broken, .upgraded, .streaming] {
            var state = place.state()
            _ = state.arrived(.part(.head(Place.get)), now: now)
            #expect(state.waiting.count == 1 && !state.wantsInput, "at \(place)")
        }
    }

    @Test func `a body goes to the router while its request is read`() {
        let body = HTTPServerRequestPart.body(ByteBuffer(string: "12345"))
        Place.expect(
            [.reading: [.pass(body)], .discarding: [.pass(body)], .upgrading: Self.malformed],
            otherwise: []
        ) { $0.arrived(.part(body), now: now) }
    }

    @Test func `the end of a request ends a handshake, too`() {
        Place.expect(
            [
                .reading: [.pass(.end(nil))], .discarding: [.pass(.end(nil)), .takeNext],
                .upgrading: [.upgrade(Place.handshake, ScriptedGate.handshake)],
            ],
            otherwise: []
        ) { $0.arrived(.part(.end(nil)), now: now) }
    }

    @Test func `what can not be parsed is refused, or breaks the request off`() {
        let refused = [Action.refuse(HTTPConnectionState.Refusal(problem: Place.notFramed)), .linger]
        Place.expect(
            [
                .fresh: refused, .idle: refused, .reading: [.passFault(Place.notFramed), .endWork],
                .discarding: [.linger], .upgrading: Self.malformed,
            ],
            otherwise: []
        ) { $0.failed(.invalidMethod, now: now) }
    }

    @Test func `the end of the input ends the connection when everything is answered`() {
        Place.expect(
            [
                .fresh: [.close], .idle: [.passInputEnd],
                .reading: [.passFault(HTTPConnectionState.brokenOff), .endWork], .discarding: [.linger],
                .upgrading: Self.malformed, .lingering: [.close],
            ],
            otherwise: []
        ) { $0.arrived(.end, now: now) }
    }

    @Test func `an error of the channel is the request's only while it is read`() {
        Place.expect(
            [.reading: [.passFault(HTTPConnectionState.brokenOff), .endWork], .discarding: [.linger]],
            otherwise: nil
        ) { $0.failed() }
    }

    @Test func `what waits is taken in turn, up to the end of the next request`() {
        var state = Place.serving.state()
        for part in [.head(Place.post), .body(ByteBuffer(string: "1")), .end(nil), .head(Place.get)]
            as [HTTPServerRequestPart]
        {
            #expect(state.arrived(.part(part), now: now) == [])
        }
        #expect(state.next(now: now) == nil)
        _ = state.answered(.head(Place.ok), now: now)
        #expect(state.answered(.end(nil), now: now) == .write(.end(nil), then: [.takeNext]))
        #expect(state.next(now: now) == [.pass(.head(Place.post))])
        #expect(state.next(now: now) == [.pass(.body(ByteBuffer(string: "1")))])
        #expect(state.next(now: now) == [.pass(.end(nil))])
        #expect(state.next(now: now) == nil)
        #expect(state.waiting.count == 1)
        _ = state.closed()
        _ = state.answered(.end(nil), now: now)
        #expect(state.next(now: now) == nil)
    }

    // MARK: Negotiation

    @Test func `a handshake with a body, or in vain, is refused with its reason`() {
        func outcome(_ head: HTTPRequestHead) -> [Action] {
            var state = Place.idle.state()
            return state.arrived(.part(.head(head)), now: now)
        }
        let full = Place.head(.GET, "/full", ["Upgrade": "websocket"])
        let refusal = Handshake.Refusal.tooMany(1)
        let answer = HTTPConnectionState.Refusal(problem: refusal.problem, head: full, reason: refusal.reason)
        #expect(outcome(full) == [.refuse(answer), .linger])
        let bodied = Place.head(.GET, "/ws", ["Upgrade": "websocket", "Content-Length": "1"])
        let hasBody = HTTPConnectionState.hasBody
        #expect(outcome(bodied) == [.refuse(.init(problem: hasBody, head: bodied, reason: .malformed)), .linger])
        var hostless = Place.handshake
        hostless.headers.remove(name: "Host")
        let problem = Problem(.badRequest, "There is no Host field")
        #expect(outcome(hostless) == [.refuse(.init(problem: problem, head: hostless, reason: .malformed)), .linger])
        hostless.uri = "/topics"
        #expect(outcome(hostless) == [.refuse(.init(problem: problem, head: hostless)), .linger])
    }

    @Test func `an upgrade to something else is not made, and the request is the last`() {
        var state = Place.fresh.state()
        let actions = state.arrived(.part(.head(Place.head(.GET, "/x", ["Upgrade": "h2c"]))), now: now)
        var passed = Place.head(.GET, "/x")
        passed.headers.replaceOrAdd(name: "connection", value: "close")
        #expect(actions == [.pass(.head(passed))])
        _ = state.arrived(.part(.end(nil)), now: now)
        _ = state.answered(.head(Place.ok), now: now)
        #expect(state.answered(.end(nil), now: now) == .write(.end(nil), then: [.linger]))
    }

    // MARK: Responses

    @Test func `a response is written once, and only to a request`() {
        let heads: [Place: HTTPConnectionState.Writing] = [
            .serving: .write(.head(Place.ok)), .reading: .write(.head(Place.ok)),
            .broken: .write(.head(closing(Place.ok))), .streaming: .skip,
        ]
        Place.expect(heads, otherwise: .fail) { $0.answered(.head(Place.ok), now: now) }
        let ends: [Place: HTTPConnectionState.Writing] = [
            .serving: .write(.end(nil), then: [.takeNext]), .reading: .write(.end(nil)),
            .broken: .write(.end(nil), then: [.linger]), .streaming: .skip,
        ]
        Place.expect(ends, otherwise: .fail) { state in
            _ = state.answered(.head(Place.ok), now: now)
            return state.answered(.end(nil), now: now)
        }
    }

    private func closing(_ head: HTTPResponseHead) -> HTTPResponseHead {
        var head = head
        head.headers.replaceOrAdd(name: "connection", value: "close")
        return head
    }

    @Test func `the head of a stream's response hands the socket over`() {
        let heads: [Place: HTTPConnectionState.Writing] = [
            .serving: .startStream, .reading: .startStream, .broken: .startStream, .streaming: .skip,
        ]
        Place.expect(heads, otherwise: .fail) {
            $0.hasStream = true
            return $0.answered(.head(Place.ok), now: now)
        }
    }

    @Test func `the response to HEAD has no body, and that is no error`() {
        var state = Place.fresh.state()
        _ = state.arrived(.part(.head(Place.head(.HEAD, "/topics"))), now: now)
        _ = state.answered(.head(Place.ok), now: now)
        #expect(state.answered(.body(.byteBuffer(ByteBuffer(string: "x"))), now: now) == .skip)
    }

    @Test func `a client that waits is told once to go on`() {
        Place.expect([:], otherwise: false) { $0.bodyIsWanted() }
        var state = Place.fresh.state()
        let head = Place.head(.POST, "/topics", ["Content-Length": "10", "Expect": "100-continue"])
        _ = state.arrived(.part(.head(head)), now: now)
        let (first, second) = (state.bodyIsWanted(), state.bodyIsWanted())
        #expect(first && !second)
    }
}
