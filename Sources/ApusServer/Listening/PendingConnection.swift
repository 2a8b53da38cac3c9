import ApusProtocol
import ApusSockets
import Hummingbird
import Logging
import NIOCore

/// An accepted socket whose client has not sent its first request yet.
///
/// A complete, well-formed handshake becomes a ``WebSocketConnection`` right here, and a request for an event stream an
/// ``EventStream``. All other requests go to the HTTP server, which finds all their bytes still in the kernel.
final class PendingConnection: PollTarget {
    /// The longest head, in bytes, that is handled here.
    private static let maxHead = 16 * 1024

    private let socket: Socket
    private let peer: PeerAddress
    private let poller: Poller
    private let context: LoopContext
    private let gate: WebSocketGate
    private let streams: StreamGate
    private let serveHTTP: (Socket) -> Void
    private let deadline: Int64
    /// Includes the end of input: the connection closes at once if the client gives up in the middle of its head.
    private static let interest: PollEvents = [.readable, .inputEnded]
    private var registration: Poller.ID?
    /// Whether the head arrived in pieces.
    private var isEdgeTriggered = false
    /// The connection's index in its loop's list.
    var loopIndex = 0

    /// - Parameter serveHTTP: takes over a socket whose first request is not answered here.
    init(
        socket: Socket,
        peer: PeerAddress,
        poller: Poller,
        context: LoopContext,
        gate: WebSocketGate,
        streams: StreamGate,
        timeout: Int64,
        serveHTTP: @escaping (Socket) -> Void
    ) {
        self.socket = socket
        self.peer = peer
        self.poller = poller
        self.context = context
        self.gate = gate
        self.streams = streams
        self.serveHTTP = serveHTTP
        self.deadline = context.monotonicNow() + timeout
    }

    func start() {
        context.add(self)
        do throws(SocketError) {
            registration = try poller.add(socket, for: Self.interest, target: self)
            context.logger.debug("socket accepted", metadata: ["peer": "\(peer)"])
        } catch {
            context.logger.debug("socket failed", metadata: ["peer": "\(peer)", "error": "\(error)"])
            close()
        }
    }

    func socketIsReady(_ events: PollEvents) {
        let space = UnsafeMutableRawBufferPointer(rebasing: context.input[..<Self.maxHead])
        let count: Int
        switch socket.peek(into: space) {
        case .bytes(0), .failed: return close()
        case .bytes(let some): count = some
        case .wouldBlock: return events.isDisjoint(with: .broken) ? () : close()
        }
        switch RequestHead.parse(UnsafeRawBufferPointer(rebasing: space[..<count])) {
        case .head(let head, let size) where head.namesHost:
            if case .success(let handshake)? = gate.check(head, isUnixSocket: peer.isUnix) {
                upgrade(head, handshake, size: size)
            } else if let stream = streams.open(head, from: peer, on: context, poller: poller) {
                start(stream, head, size: size)
            } else {
                handOver()
            }
        case .incomplete
        where count < Self.maxHead && !events.contains(.inputEnded) && gate.mayBeHandshake(space[..<count]):
            guard let registration, events.isDisjoint(with: .broken) else { return close() }
            // The bytes stay in the kernel, so only new bytes matter. A level-triggered poller would report the old
            // ones again.
            guard !isEdgeTriggered else { return }
            isEdgeTriggered = true
            poller.change(registration, of: socket, to: Self.interest.union(.edgeTriggered))
        case .head, .incomplete, .other:
            handOver()
        }
    }

    private func upgrade(_ head: RequestHead, _ handshake: Handshake, size: Int) {
        // Exactly the head: the bytes after it are for the connection.
        let taken = socket.receive(into: UnsafeMutableRawBufferPointer(rebasing: context.input[..<size]))
        guard taken == .bytes(size), let registration = leave() else { return close() }
        let connection = gate.makeConnection(handshake, socket: socket, peer: peer, on: context, poller: poller)
        // Count the connection before its client can know about it.
        connection.start(registration)
        let response = handshake.response(to: head.headers["sec-websocket-key"] ?? "")
        // A new socket takes this few bytes at once, or it is unusable.
        let sent = response.withUnsafeReadableBytes { socket.send($0) }
        guard sent == .bytes(response.readableBytes) else { return connection.end() }
        connection.closeIfMemoryIsFull()
    }

    private func start(_ stream: EventStream, _ head: RequestHead, size: Int) {
        let began = ContinuousClock.now
        guard socket.receive(into: UnsafeMutableRawBufferPointer(rebasing: context.input[..<size])) == .bytes(size),
            let registration = leave()
        else {
            stream.end()
            return close()
        }
        stream.start(on: socket, from: peer, registration)
        streams.log.answered(
            "\(RequestID())",
            method: "GET",
            path: head.path,
            status: 200,
            took: ContinuousClock.now - began,
            address: "\(peer)"
        )
    }

    /// Hands the socket over to another target.
    private func leave() -> Poller.ID? {
        guard let registration = registration.take() else { return nil }
        context.remove(self, isClosed: false)
        if isEdgeTriggered { poller.change(registration, of: socket, to: .readable) }
        return registration
    }

    private func handOver() {
        guard let registration = registration.take() else { return }
        poller.remove(registration, of: socket)
        context.remove(self, isClosed: false)
        serveHTTP(socket)
    }

    func tick(now: Int64) {
        guard now >= deadline else { return }
        // Closing a socket with unread bytes would make the kernel discard the response.
        if case .bytes(1...) = socket.receive(into: context.input) { refuse(.timedOut) }
        close()
    }

    private func refuse(_ refusal: Handshake.Refusal) {
        let problem = refusal.problem
        gate.refusals.note(refusal.reason, status: problem.code.status, address: "\(peer)")
        // A new socket takes this few bytes at once, and nothing depends on it.
        _ = problem.lastAnswer.withUnsafeReadableBytes { socket.send($0) }
    }

    func close() {
        if let registration = registration.take() { poller.remove(registration, of: socket) }
        socket.close()
        context.remove(self, isClosed: true)
    }
}
