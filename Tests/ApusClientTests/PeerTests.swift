import ApusProtocol
import Testing

@testable import ApusClient
@testable import ApusConformance

/// A connection of a check of `apus conformance`.
@Suite(.timeLimit(.minutes(1)))
struct PeerTests {
    @Test func `what a server never reads is a fault in time, and ends the connection`() async throws {
        try await FakeServer.run { server in
            let connection = try await WebSocketConnection.connect(to: server.address)
            let fake = try await server.accept()
            try await fake.stopReading()
            let peer = Peer(connection: connection, dialect: .base, patience: .milliseconds(200))
            // More than the system's buffers hold.
            let text = String(repeating: "x", count: 12 << 20)
            let fault = await #expect(throws: Fault.self) { try await peer.send(text) }
            #expect(fault?.what == "the server did not read what was sent within 200 ms")
            await #expect(throws: Fault.self) { try await peer.send("more") }
            await fake.drop()
        }
    }
}
