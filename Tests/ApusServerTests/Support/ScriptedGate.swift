import ApusProtocol
import ApusSockets
import ApusTLS
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import NIOHTTP1

@testable import ApusServer

/// A gate that takes every handshake at `/ws`, and refuses those at `/full`.
final class ScriptedGate: HandshakeGate {
    static let handshake = Handshake(dialect: .base, identity: .known(.open))

    private let refusals = NIOLockedValueBox<[String]>([])
    private let drains: NIOLoopBoundBox<[() -> Void]>?

    /// - Parameter eventLoop: the only one whose connections may wait for the drain; for all others, it is over.
    init(eventLoop: EmbeddedEventLoop? = nil) {
        drains = eventLoop.map { NIOLoopBoundBox([], eventLoop: $0) }
    }

    /// The refused handshakes: `malformed 400`.
    var refused: [String] { refusals.withLockedValue { $0 } }

    func facing(_ connection: Caller) -> any HandshakeGate { self }

    func address(of head: HTTPRequestHead?) -> PeerAddress { .unknown }

    func isHandshake(_ head: HTTPRequestHead) -> Bool { head.uri == "/ws" && head.headers.contains(name: "upgrade") }

    func check(_ head: HTTPRequestHead) -> Result<Handshake, Handshake.Refusal>? {
        switch head.uri {
        case "/ws": .success(Self.handshake)
        case "/full": .failure(.tooMany(1))
        default: nil
        }
    }

    func adopt(_ transport: DetachedTransport, after handshake: Handshake, input: ByteBuffer) {
        transport.close()
    }

    func refused(_ reason: Handshake.Refusal.Reason, _ problem: Problem, address: String) {
        refusals.withLockedValue { $0.append("\(reason.rawValue) \(problem.code.status)") }
    }

    func afterDrain(on eventLoop: any EventLoop, _ body: @escaping () -> Void) {
        if let drains { drains.value.append(body) } else { body() }
    }

    /// The drain is over.
    func finishDrain() {
        let waiting = drains?.value ?? []
        drains?.value = []
        for body in waiting { body() }
    }
}
