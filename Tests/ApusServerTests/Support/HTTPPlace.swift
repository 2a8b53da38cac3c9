import ApusProtocol
import NIOCore
import NIOHTTP1
import Testing

@testable import ApusServer

/// Where a connection may be.
enum HTTPPlace: CaseIterable {
    /// Without a request yet.
    case fresh
    /// After a request.
    case idle
    /// The router works on a whole request.
    case serving
    /// The router works on a request whose body is not complete.
    case reading
    /// An answered request whose body is not complete.
    case discarding
    /// The request broke off, and has no answer yet.
    case broken
    case upgrading, upgraded, streaming, lingering

    static let get = head(.GET, "/topics")
    static let post = head(.POST, "/topics", ["Content-Length": "10"])
    static let handshake = head(.GET, "/ws", ["Upgrade": "websocket"])
    static let notFramed = Problem(.badRequest, "This is no HTTP request, or is not framed as one")
    static let ok = HTTPResponseHead(version: .http1_1, status: .ok, headers: ["Content-Length": "0"])

    static func head(_ method: HTTPMethod, _ uri: String, _ fields: HTTPHeaders = [:]) -> HTTPRequestHead {
        var fields = fields
        fields.add(name: "Host", value: "a")
        return HTTPRequestHead(version: .http1_1, method: method, uri: uri, headers: fields)
    }

    static func time(_ seconds: Int64) -> NIODeadline { .uptimeNanoseconds(0) + .seconds(seconds) }

    /// A connection at this place, got there by events.
    func state(staysForDrain: Bool = true) -> HTTPConnectionState {
        var state = HTTPConnectionState(
            timeouts: .init(request: .seconds(10), close: .seconds(30), idle: .seconds(75)),
            staysForDrain: staysForDrain,
            gate: ScriptedGate()
        )
        let start = Self.time(0)
        state.opened(now: start)
        func arrive(_ parts: HTTPServerRequestPart...) {
            for part in parts { _ = state.arrived(.part(part), now: start) }
        }
        switch self {
        case .fresh: break
        case .idle:
            arrive(.head(Self.get), .end(nil))
            _ = state.answered(.head(Self.ok), now: start)
            _ = state.answered(.end(nil), now: start)
        case .serving: arrive(.head(Self.get), .end(nil))
        case .reading: arrive(.head(Self.post))
        case .discarding:
            arrive(.head(Self.post))
            _ = state.answered(.head(Self.ok), now: start)
            _ = state.answered(.end(nil), now: start)
        case .broken:
            arrive(.head(Self.post))
            _ = state.arrived(.end, now: start)
        case .upgrading: arrive(.head(Self.handshake))
        case .upgraded: arrive(.head(Self.handshake), .end(nil))
        case .streaming:
            arrive(.head(Self.get), .end(nil))
            state.hasStream = true
            _ = state.answered(.head(Self.ok), now: start)
        case .lingering: _ = state.arrived(.fault(Self.notFramed), now: start)
        }
        return state
    }

    /// Checks what an event does at every place. Where the table has none, it does nothing.
    static func expect<Result: Equatable>(
        _ table: [HTTPPlace: Result],
        otherwise: Result,
        staysForDrain: Bool = true,
        sourceLocation: SourceLocation = #_sourceLocation,
        _ event: (inout HTTPConnectionState) -> Result
    ) {
        for place in allCases {
            var state = place.state(staysForDrain: staysForDrain)
            let result = event(&state)
            #expect(result == table[place] ?? otherwise, "at \(place)", sourceLocation: sourceLocation)
        }
    }
}
