import Testing

@testable import ApusClient

@Suite("A server address")
struct ServerAddressTests {
    @Test(
        "gives the REST base and the WebSocket URL whatever its scheme",
        arguments: [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080", "ws://127.0.0.1:8080/ws"),
            ("ws://127.0.0.1:8080", "http://127.0.0.1:8080", "ws://127.0.0.1:8080/ws"),
            ("https://apus.example", "https://apus.example:443", "wss://apus.example:443/ws"),
            ("wss://apus.example:8443/", "https://apus.example:8443", "wss://apus.example:8443/ws"),
            ("HTTP://localhost", "http://localhost:80", "ws://localhost:80/ws"),
            ("http://localhost:8080/v1", "http://localhost:8080/v1", "ws://localhost:8080/v1/ws"),
            ("ws://localhost:8080/v1/ws", "http://localhost:8080/v1", "ws://localhost:8080/v1/ws"),
            ("ws://localhost:8080/ws", "http://localhost:8080", "ws://localhost:8080/ws"),
            ("http://[::1]:9000/v1/", "http://[::1]:9000/v1", "ws://[::1]:9000/v1/ws"),
        ]
    )
    func urls(text: String, rest: String, webSocket: String) throws {
        let address = try ServerAddress(text)
        #expect(address.restBase == rest)
        #expect(address.webSocketURL == webSocket)
    }

    @Test("knows its parts")
    func parts() throws {
        let address = try ServerAddress("wss://[2001:db8::1]/v1")
        #expect(address == ServerAddress(host: "2001:db8::1", port: 443, isSecure: true, dialect: .v1))
    }

    @Test(
        "is refused with its own text when it is none",
        arguments: [
            "", "localhost", "localhost:8080", "ftp://localhost", "http://", "http://:80", "http://host:",
            "http://host:0", "http://host:65536", "http://host:+80", "http://host:80x", "http://host/v2",
            "http://host/v1/topics", "http://host?x=1", "http://host#x", "http://user@host", "http://ho st",
            "http://[::1", "http://[]", "http://[host]", "http://::1:80",
        ]
    )
    func refusals(text: String) {
        let error = #expect(throws: ClientError.self) { try ServerAddress(text) }
        #expect(error?.code == .badAddress)
        #expect(error?.message.contains("'\(text)'") == true)
    }

    @Test(
        "encodes a topic's name as one path segment",
        arguments: [
            ("orders-1_a~b", "orders-1_a~b"), ("a/b", "a%2Fb"), ("a b%", "a%20b%25"), ("é", "%C3%A9"),
            ("..", "%2E%2E"), ("a.b", "a.b"),
        ]
    )
    func percentEncoding(name: String, encoded: String) {
        #expect(RESTClient.percentEncoded(name) == encoded)
    }
}
