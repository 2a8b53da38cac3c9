import ApusConformance
import Testing

@testable import ApusClient

/// The client does what `apus conformance client` asks of clients.
@Suite(.timeLimit(.minutes(2)))
struct ClientScriptTests {
    @Test func `the client conforms`() async throws {
        let script = try await ClientScript.listen(
            host: "127.0.0.1",
            port: 0,
            patience: .seconds(20),
            wait: .seconds(20)
        )
        let server = ServerAddress(host: "127.0.0.1", port: script.port)
        let client = Task { try await Self.perform(on: server) }
        let results = await script.run()
        client.cancel()
        _ = await client.result
        for result in results { #expect(result.outcome == .passed, "\(result.name)") }
        #expect(results.count >= 16)
    }

    /// Does what ``ClientScript/task`` says.
    private static func perform(on server: ServerAddress) async throws {
        try await ApusClient.withConnection(to: server) { client in
            try await withThrowingTaskGroup { group in
                group.addTask {
                    while true {
                        _ = try await client.publish("conformance", JSONText(unchecked: #"{"text":"hello"}"#))
                        try await Task.sleep(for: .milliseconds(100))
                    }
                }
                let subscription = try await client.subscribe("conformance")
                while let delivery = try await subscription.next() {
                    if delivery.event?.payload.members?["done"]?.text == "true" { break }
                }
                group.cancelAll()
                await subscription.unsubscribe()
                // The connection stays until the server ends it.
                try await Task.sleep(for: .seconds(60))
            }
        }
    }
}
