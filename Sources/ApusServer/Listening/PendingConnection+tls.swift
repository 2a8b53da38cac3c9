import ApusProtocol
import ApusSockets
import ApusTLS
import Logging
import NIOCore

// Connections that begin with TLS.

extension PendingConnection {
    /// The first byte of TLS: that of a handshake record (RFC 8446 section 5.1).
    private static let firstByte: UInt8 = 22

    /// Begins TLS with the client's first byte, unless the connection does without.
    ///
    /// - Returns: whether to go on. A client that does not begin TLS is told so, in plain text.
    func beginTLS(_ events: PollEvents) -> Bool {
        guard expectsTLS else { return true }
        switch socket.peek(into: UnsafeMutableRawBufferPointer(rebasing: context.input[..<1])) {
        case .bytes(1...): break
        case .wouldBlock where events.isDisjoint(with: .broken): return false
        case .bytes, .wouldBlock, .failed:
            close()
            return false
        }
        expectsTLS = false
        guard context.input[0] == Self.firstByte else {
            let text = "This port speaks TLS: use https:// or wss://"
            if phase == .request { refuse(.plainText, Problem(.badRequest, text)) }
            // With many refused ones, it is closed already.
            return registration != nil
        }
        guard let session = gate.tls.flatMap({ TLSSession($0.current) }) else {
            close()
            return false
        }
        transport = Transport(socket, tls: TLSTransport(session, context.tls.buffers))
        return true
    }

    /// All that TLS has opened; `nil` if there is nothing new, or nothing will come.
    func open(_ events: PollEvents) -> UnsafeRawBufferPointer? {
        guard let tls = transport.tls, tls.session.isEstablished || context.tls.takeHandshake() else { return nil }
        let (before, input) = (opened.count, context.input)
        let space = UnsafeMutableRawBufferPointer(rebasing: input[before...])
        switch receive(into: space) {
        case .bytes(0): close()
        case .failed: fail(tls.session)
        case .bytes(let count):
            opened.append(contentsOf: input[before..<before + count])
            opened.withUnsafeBytes { input.copyMemory(from: $0) }
            return UnsafeRawBufferPointer(rebasing: input[..<opened.count])
        case .wouldBlock: if !events.isDisjoint(with: .broken) { close() }
        }
        return nil
    }

    /// Receives, and notes a handshake that is complete with it.
    func receive(into space: UnsafeMutableRawBufferPointer) -> Socket.Transfer {
        guard let tls = transport.tls, !tls.session.isEstablished else { return transport.receive(into: space) }
        let result = transport.receive(into: space)
        if tls.session.isEstablished {
            caller.commonName = tls.session.peerCommonName
            context.counters.tlsHandshakes.ok += 1
        }
        return result
    }

    /// Counts a handshake that is not complete, and will not be.
    func countUnfinishedHandshake() {
        guard let session = transport.tls?.session, !session.isEstablished else { return }
        if session.failure == nil {
            context.counters.tlsHandshakes.abandoned += 1
        } else {
            context.counters.tlsHandshakes.failed += 1
        }
    }

    private func fail(_ session: TLSSession) {
        context.logger.debug(
            "TLS failed",
            metadata: ["peer": "\(caller.address)", "reason": "\(session.failure ?? "the socket is broken")"]
        )
        close()
    }
}
