import ApusTLS

/// What the TLS connections of a loop share.
final class LoopTLS {
    /// How many handshakes a loop goes on with before its other sockets get their turn: each takes a third of a
    /// millisecond.
    private static let handshakesPerRound = 8

    private(set) lazy var buffers = TLSBuffers()
    private var handshakesLeft = handshakesPerRound

    /// Whether a handshake may go on in this round. Otherwise its socket is reported again in the next.
    func takeHandshake() -> Bool {
        handshakesLeft -= 1
        return handshakesLeft >= 0
    }

    func beginRound() {
        handshakesLeft = Self.handshakesPerRound
    }
}
