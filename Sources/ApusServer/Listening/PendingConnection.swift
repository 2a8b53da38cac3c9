import ApusProtocol
import ApusSockets
import ApusTLS
import Hummingbird
import Logging
import NIOCore

/// An accepted socket whose client has not sent its first request yet.
///
/// ```
/// proxyHeader ──► request ──► WebSocketConnection, EventStream, or HTTP
///      └─────────────┴──► refused ──► ending
/// ```
/// A complete, well-formed handshake becomes a ``WebSocketConnection`` right here, and a request for an event stream an
/// ``EventStream``. All other requests go to the HTTP server. It finds all their bytes still in the kernel; where the
/// server speaks TLS, it gets those that were opened here.
final class PendingConnection: PollTarget {
    enum Phase: Equatable {
        /// A trusted proxy has to send a ``ProxyHeader``.
        case proxyHeader
        case request
        /// The client is told why when it has sent something: an answer before the request would surprise it.
        case refused(Problem)
        /// The client has its answer; its input is discarded until it closes.
        case ending
    }

    /// The longest head, in bytes, that is handled here.
    private static let maxHead = 16 * 1024

    var transport: Transport
    var socket: Socket { transport.socket }
    /// The other end of the socket: the client, or a proxy.
    let peer: PeerAddress
    let poller: Poller
    let context: LoopContext
    let gate: WebSocketGate
    private let streams: StreamGate
    private let serveHTTP: (DetachedTransport, Caller, ByteBuffer) -> Void
    /// Whether TLS has to begin before anything else is said.
    var expectsTLS = false
    /// What TLS has opened of an incomplete request.
    var opened: [UInt8] = []
    var phase = Phase.request
    /// Who the client is, and the place that it has among the connections of its address.
    var caller: Caller
    var deadline: Int64
    /// Includes the end of input: the connection closes at once if the client gives up in the middle of its head.
    static let interest: PollEvents = [.readable, .inputEnded]
    var registration: Poller.ID?
    /// Whether the head arrived in pieces.
    private var isEdgeTriggered = false
    /// Whether it is counted among the refused connections of its loop.
    var isRefused = false
    /// The connection's index in its loop's list.
    var loopIndex = 0

    /// - Parameter serveHTTP: takes over a socket whose first request is not answered here, with what has been read.
    init(
        socket: Socket,
        peer: PeerAddress,
        poller: Poller,
        context: LoopContext,
        gate: WebSocketGate,
        streams: StreamGate,
        timeout: Int64,
        serveHTTP: @escaping (DetachedTransport, Caller, ByteBuffer) -> Void
    ) {
        transport = Transport(socket)
        self.peer = peer
        self.poller = poller
        self.context = context
        self.gate = gate
        self.streams = streams
        self.serveHTTP = serveHTTP
        caller = Caller(address: peer, isOnUnixSocket: peer.isUnix)
        deadline = context.monotonicNow() + timeout
    }

    func start() {
        context.add(self)
        do throws(SocketError) {
            registration = try poller.add(socket, for: Self.interest, isPatient: true, target: self)
        } catch {
            context.logger.debug("socket failed", metadata: ["peer": "\(peer)", "error": "\(error)"])
            return close()
        }
        expectsTLS = gate.tls != nil && !peer.isUnix
        if gate.addresses.expectsProxyHeader(from: peer) { phase = .proxyHeader } else { admit() }
        // Who reads this may rely on it that the connection counts.
        context.logger.debug("socket accepted", metadata: ["peer": "\(peer)"])
    }

    func socketIsReady(_ events: PollEvents) {
        // A refused connection may be closed already.
        guard registration != nil, phase == .proxyHeader || beginTLS(events) else { return }
        switch phase {
        case .proxyHeader: readProxyHeader(events)
        case .request: readRequest(events)
        case .refused(let problem): answer(problem, events)
        case .ending: discardInput(events)
        }
    }

    /// The bytes that have come, still in the kernel or opened by TLS; `nil` if there are none, or none will come.
    private func peek(_ events: PollEvents) -> UnsafeRawBufferPointer? {
        guard transport.tls == nil else { return open(events) }
        let space = UnsafeMutableRawBufferPointer(rebasing: context.input[..<Self.maxHead])
        switch socket.peek(into: space) {
        case .bytes(0), .failed: close()
        case .bytes(let count): return UnsafeRawBufferPointer(rebasing: space[..<count])
        case .wouldBlock: if !events.isDisjoint(with: .broken) { close() }
        }
        return nil
    }

    /// Waits for more of something that is not complete yet.
    private func wait(_ events: PollEvents) {
        guard let registration, events.isDisjoint(with: .broken) else { return close() }
        guard transport.tls == nil else { return }
        // The bytes stay in the kernel, so only new bytes matter. A level-triggered poller would report the old
        // ones again.
        guard !isEdgeTriggered else { return }
        isEdgeTriggered = true
        poller.change(registration, of: socket, to: Self.interest.union(.edgeTriggered))
    }

    /// Takes exactly these first bytes. Those behind them are for somebody else.
    private func consume(_ size: Int) -> Bool {
        guard transport.tls == nil else {
            opened.removeFirst(size)
            return true
        }
        return socket.receive(into: UnsafeMutableRawBufferPointer(rebasing: context.input[..<size])) == .bytes(size)
    }

    // MARK: The header of a proxy

    private func readProxyHeader(_ events: PollEvents) {
        guard let bytes = peek(events) else { return }
        switch ProxyHeader.parse(bytes) {
        case .header(let header):
            guard consume(header.size) else { return close() }
            caller.address = header.client ?? peer
            phase = .request
            admit()
            // The request may have come with the header.
            socketIsReady(events)
        case .incomplete:
            if events.contains(.inputEnded) { close() } else { wait(events) }
        case .malformed:
            refuse(.proxyHeader)
            socketIsReady(events)
        }
    }

    // MARK: The request

    private func readRequest(_ events: PollEvents) {
        guard let bytes = peek(events) else { return }
        switch RequestHead.parse(bytes) {
        case .head(let head, let size) where head.namesHost:
            if case .success(let handshake)? = gate.check(head, from: caller) {
                upgrade(head, handshake, size: size)
            } else if let stream = streams.open(head, from: caller, on: context, poller: poller) {
                start(stream, head, size: size)
            } else {
                handOver()
            }
        case .incomplete
        where bytes.count < Self.maxHead && !events.contains(.inputEnded) && gate.mayBeHandshake(bytes):
            wait(events)
        case .head, .incomplete, .other:
            handOver()
        }
    }

    private func upgrade(_ head: RequestHead, _ handshake: Handshake, size: Int) {
        guard consume(size), let registration = leave() else { return close() }
        let connection = gate.makeConnection(handshake, transport: transport, on: context, poller: poller)
        // Count the connection before its client can know about it.
        connection.start(registration)
        let response = handshake.response(to: head.headers["sec-websocket-key"] ?? "")
        // A new socket takes this few bytes at once, or it is unusable.
        let sent = response.withUnsafeReadableBytes { transport.send($0) }
        guard sent == .bytes(response.readableBytes) else { return connection.end() }
        connection.closeIfMemoryIsFull()
        if !opened.isEmpty { opened.withUnsafeMutableBytes { connection.received($0) } }
    }

    private func start(_ stream: EventStream, _ head: RequestHead, size: Int) {
        let began = ContinuousClock.now
        guard consume(size), let registration = leave() else {
            stream.end()
            return close()
        }
        let address = "\(stream.caller.address)"
        stream.start(on: transport, registration)
        streams.log.answered(
            "\(RequestID())",
            method: "GET",
            path: head.path,
            status: 200,
            took: ContinuousClock.now - began,
            address: address
        )
    }

    // MARK: The end

    /// Hands the socket over to another target.
    private func leave() -> Poller.ID? {
        guard let registration = registration.take() else { return nil }
        context.remove(self, isClosed: false)
        caller.place = nil
        if isEdgeTriggered { poller.change(registration, of: socket, to: .readable) }
        return registration
    }

    private func handOver() {
        guard let registration = registration.take() else { return }
        poller.remove(registration, of: socket)
        context.remove(self, isClosed: false)
        serveHTTP(transport.detached(), caller, ByteBuffer(bytes: opened))
        caller.place = nil
    }

    func tick(now: Int64) {
        guard now >= deadline else { return }
        switch phase {
        case .refused, .ending: break
        case .proxyHeader, .request:
            // Closing a socket with unread bytes would make the kernel discard the response.
            if hasBegunRequest { sendTimeout() }
        }
        close()
    }

    /// Whether the client would understand an answer. Reads what has come.
    private var hasBegunRequest: Bool {
        guard !expectsTLS, opened.isEmpty else { return !opened.isEmpty }
        guard transport.tls == nil, case .bytes(1...) = socket.receive(into: context.input) else { return false }
        return true
    }

    private func sendTimeout() {
        let refusal = Handshake.Refusal.timedOut
        let problem = refusal.problem
        gate.refusals.note(refusal.reason, problem, address: "\(caller.address)")
        send(problem)
    }

    func close() {
        if let registration = registration.take() { poller.remove(registration, of: socket) }
        countUnfinishedHandshake()
        transport.close()
        caller.place = nil
        if isRefused { context.refusedCount -= 1 }
        context.remove(self, isClosed: true)
    }
}
