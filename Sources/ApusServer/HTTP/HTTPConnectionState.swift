import ApusProtocol
import NIOCore
import NIOHTTP1

/// The rules of an HTTP connection, without its channel: each event returns what ``HTTPConnectionHandler`` has to do.
///
/// ```
///                 answered, and read to its end
///          ┌────────────────────────────────────────┐
///          ▼                                        │
///        idle ──── head ────────────────────────► serving ──► streaming
///          │ └──── head of a handshake ─► upgrading │ │
///          │                                  │ │   │ │ broken off, or the last answer
///          │ refused                  refused │ │end│ │
///          └────────────► lingering ◄─────────┘ ▼   │ │
///                             ▲             upgraded│ │
///                             └─────────────────────┴─┘
/// ```
/// A request waits until the previous request is answered. So responses keep their order, and the end of the connection
/// comes after all of them. The router sees only well-formed requests. If a body breaks off or its chunks are
/// malformed, the router gets a ``Problem`` instead of the rest.
///
/// What waits is bounded by the ``InputPacer``, which passes nothing on while ``wantsInput`` is `false`.
struct HTTPConnectionState {
    struct Timeouts: Equatable {
        /// How long a request may take. Its body gets additional time according to ``HTTPConnectionState/bodyRate``.
        var request: TimeAmount
        /// How long a client may accept nothing of its responses.
        var close: TimeAmount
        /// How long the client may send no part of a request after its first request; `nil` for any time.
        var idle: TimeAmount?
        /// How long input is still read and discarded after the last response.
        var linger = TimeAmount.seconds(2)
    }

    enum Phase: Equatable {
        /// Every request is answered.
        case idle
        /// The router handles a request.
        case serving(Exchange)
        /// A valid handshake has arrived; its end must follow.
        case upgrading(HTTPRequestHead, Handshake)
        /// The socket becomes a WebSocket.
        case upgraded
        /// The socket becomes an event stream.
        case streaming
        /// The last response is on its way; further input is ignored.
        case lingering
    }

    /// An event from the decoder.
    enum Arrival: Equatable {
        case part(HTTPServerRequestPart)
        /// An error; the input after it cannot be parsed.
        case fault(Problem)
        case end
    }

    /// What the handler has to do.
    enum Action: Equatable {
        /// Gives the router a part of a request. The first head needs the router's handlers.
        case pass(HTTPServerRequestPart)
        /// Tells the router that the rest of its request will not arrive.
        case passFault(Problem)
        /// Tells the router that there are no more requests.
        case passInputEnd
        /// Logs a refused request, and writes the answer to it.
        case refuse(Refusal)
        /// Ends the work of a request whose client has left.
        case endWork
        /// Continues with ``HTTPConnectionState/next(now:)``, but not within the current event.
        case takeNext
        /// Answers a handshake, and gives the socket away.
        case upgrade(HTTPRequestHead, Handshake)
        /// Calls ``HTTPConnectionState/drained()`` after the drain.
        case waitForDrain
        /// Flushes, and then asks for the close: see ``HTTPConnectionState/closeAsked(_:hasUnsent:)``.
        case hangUp
        /// Discards all input, and calls ``HTTPConnectionState/sent(isSuccess:now:)`` when everything is sent.
        case linger
        /// Ends the server's direction.
        case closeOutput
        /// Closes the connection at once.
        case close
    }

    /// What becomes of a part of a response.
    enum Writing: Equatable {
        case write(HTTPServerResponsePart, then: [Action] = [])
        /// The part is not sent, and that is no error.
        case skip
        /// The head of an event stream is written instead, and the socket given away.
        case startStream
        case fail
    }

    /// A request that the router does not get.
    struct Refusal: Equatable {
        var problem: Problem
        /// `nil` when the head could not be parsed.
        var head: HTTPRequestHead?
        /// Set for a handshake.
        var reason: Handshake.Refusal.Reason?
    }

    /// Limits for a request's head, and for the trailer after a chunked body: bytes, and header fields.
    static let (maxHead, maxFields) = (64 * 1024, 256)
    /// How many bytes of a received body give the client another second to send the rest.
    static let bodyRate = 8 * 1024

    let timeouts: Timeouts
    let staysForDrain: Bool
    let gate: any HandshakeGate
    var phase = Phase.idle
    /// Whether the router has got a request.
    var hasServed = false
    /// Whether the client has closed its sending side, or the connection is closed.
    private(set) var clientHasEnded = false
    private(set) var isClosed = false
    /// Whether the socket becomes a stream's when the head of the response is written.
    var hasStream = false
    /// Whether the connection ends after the current response because the server stops.
    var isQuiescing = false
    /// Decoded events that wait for their turn.
    var waiting = CircularBuffer<Arrival>()
    var headWatch = HeadWatch()
    /// When the time for the request began.
    var requestStart: NIODeadline?
    /// When the last part of a request came, or the last response ended.
    var lastActive: NIODeadline?
    /// When to close though the client has not.
    var lingerDeadline: NIODeadline?
    var sending = SendingWatch()

    /// - Parameter staysForDrain: whether connections stay open until the drain is over when the server stops.
    init(timeouts: Timeouts, staysForDrain: Bool, gate: any HandshakeGate) {
        self.timeouts = timeouts
        self.staysForDrain = staysForDrain
        self.gate = gate
    }

    // MARK: Arrivals

    /// Whether the decoder may continue: no decoded event is waiting.
    var wantsInput: Bool { waiting.isEmpty && takesInput }

    private var takesInput: Bool {
        switch phase {
        case .idle, .upgrading, .lingering: true
        case .serving(let exchange): !exchange.isRead
        case .upgraded, .streaming: false
        }
    }

    /// Whether what comes is a WebSocket's.
    var isUpgraded: Bool {
        if case .upgraded = phase { true } else { false }
    }

    /// The connection is open. Its first head has to come in time.
    mutating func opened(now: NIODeadline) {
        requestStart = now
    }

    /// Bytes came that are not decoded yet.
    mutating func received(_ bytes: ByteBufferView, now: NIODeadline) {
        guard case .idle = phase, wantsInput else { return }
        headWatch.add(bytes)
        if headWatch.isBegun, requestStart == nil { requestStart = now }
    }

    mutating func arrived(_ arrival: Arrival, now: NIODeadline) -> [Action] {
        guard wantsInput else {
            waiting.append(arrival)
            return []
        }
        return take(arrival, now: now)
    }

    /// Handles the first event that waits, if it is its turn.
    mutating func next(now: NIODeadline) -> [Action]? {
        guard !isClosed, takesInput, let arrival = waiting.popFirst() else { return nil }
        return take(arrival, now: now)
    }

    private mutating func take(_ arrival: Arrival, now: NIODeadline) -> [Action] {
        switch (phase, arrival) {
        case (.idle, .part(.head(let head))):
            return begin(head, now: now)
        case (.idle, .fault(let problem)):
            return refuse(Refusal(problem: problem))
        case (.idle, .end):
            return hasServed ? [.passInputEnd] : [.close]
        case (.serving(let exchange), .part(let part)):
            return read(part, of: exchange, now: now)
        case (.serving, .fault(let problem)):
            return breakOff(problem)
        case (.serving, .end):
            return breakOff(Self.brokenOff)
        case (.upgrading(let head, let handshake), .part(.end)):
            phase = .upgraded
            requestStart = nil
            return [.upgrade(head, handshake)]
        case (.upgrading(let head, _), _):
            return refuse(Refusal(problem: Self.hasBody, head: head, reason: .malformed))
        case (.lingering, .end):
            return [.close]
        case (.idle, .part), (.lingering, _), (.upgraded, _), (.streaming, _):
            return []
        }
    }

    // MARK: The client

    /// Whether a request may wait for something: its client still listens for the answer.
    ///
    /// Until something is written, a closed connection looks the same as a half-closed one. So a request waits for
    /// neither.
    var mayWait: Bool {
        guard !clientHasEnded, case .serving(let exchange) = phase else { return false }
        return !exchange.isBroken
    }

    /// The client has closed its sending side. There may be input before this that is not decoded yet.
    mutating func inputEnded() -> [Action] {
        clientHasEnded = true
        return [.endWork]
    }

    /// The connection is closed.
    mutating func closed() -> [Action] {
        (clientHasEnded, isClosed) = (true, true)
        return [.endWork]
    }
}
