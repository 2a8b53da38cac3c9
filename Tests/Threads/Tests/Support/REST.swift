import NIOCore
import NIOPosix

/// Requests to the server in this process, each on a connection of its own.
struct REST: Sendable {
    let port: Int

    func createTopic(_ name: String) async throws { try await send("POST /topics", #"{"name":"\#(name)"}"#) }

    func deleteTopic(_ name: String) async throws { try await send("DELETE /topics/\(name)") }

    func health() async throws -> String { try await send("GET /health") }

    /// The whole answer, head and body; anything but a success is an error.
    @discardableResult
    private func send(_ target: String, _ body: String = "") async throws -> String {
        let request = """
            \(target) HTTP/1.1\r
            Host: 127.0.0.1\r
            Connection: close\r
            Content-Type: application/json\r
            Content-Length: \(body.utf8.count)\r
            \r
            \(body)
            """
        let connection = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await connection.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: request))
            var answer = ByteBuffer()
            for try await bytes in inbound { answer.writeImmutableBuffer(bytes) }
            let text = String(buffer: answer)
            guard text.hasPrefix("HTTP/1.1 2") else { throw TestClient.Unexpected(message: "\(target): \(text)") }
            return text
        }
    }
}
