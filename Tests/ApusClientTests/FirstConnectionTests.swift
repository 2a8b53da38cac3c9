import Testing

@testable import ApusClient

@Suite("The first connection", .timeLimit(.minutes(1)))
struct FirstConnectionTests {
    /// A port on which nobody listens any more.
    private func nowhere() async throws -> ServerAddress {
        try await FakeServer.run { $0.address }
    }

    @Test func `is required, unless the options say that it is not`() async throws {
        let address = try await nowhere()
        let error = await #expect(throws: ClientError.self) {
            try await ApusClient.withConnection(to: address) { _ in }
        }
        #expect(error?.code == .unreachable)
        var options = ApusClient.Options()
        options.requiresConnection = false
        options.reconnect.maxAttempts = 2
        options.reconnect.initialDelay = .microseconds(1)
        try await ApusClient.withConnection(to: address, options: options) { client in
            let error = await #expect(throws: ClientError.self) { try await client.subscribe("orders") }
            #expect(error?.code == .unreachable)
            let other = await #expect(throws: ClientError.self) { try await client.publish("orders", .string("x")) }
            #expect(other?.code == .unreachable)
        }
    }

    @Test func `is the one that the first subscription or publish gets`() async throws {
        try await FakeServer.run { server in
            try await withClient(of: server) { client in
                let connection = try await server.accept()
                async let outcome = client.publish("orders", .string("x"))
                connection.send(ServerText.published(try await connection.command(), offset: 1))
                #expect(try await outcome.position?.offset == 1)
            }
        }
    }

    @Test @MainActor
    func `is used where its caller is isolated`() async throws {
        try await FakeServer.run { server in
            var isUsed = false
            try await ApusClient.withConnection(to: server.address) { _ in isUsed = true }
            #expect(isUsed)
        }
    }
}
