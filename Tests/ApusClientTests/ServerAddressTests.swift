import Testing

@testable import ApusClient

@Suite("A server address")
struct ServerAddressTests {
    @Test(arguments: [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080", "ws://127.0.0.1:8080/ws"),
        ("ws://127.0.0.1:8080", "http://127.0.0.1:8080", "ws://127.0.0.1:8080/ws"),
        ("https://apus.example", "https://apus.example:443", "wss://apus.example:443/ws"),
        ("wss://apus.example:8443/", "https://apus.example:8443", "wss://apus.example:8443/ws"),
        ("HTTP://localhost", "http://localhost:80", "ws://localhost:80/ws"),
        ("http://localhost:8080/v1", "http://localhost:8080/v1", "ws://localhost:8080/v1/ws"),
        ("ws://localhost:8080/v1/ws", "http://localhost:8080/v1", "ws://localhost:8080/v1/ws"),
        ("ws://localhost:8080/ws", "http://localhost:8080", "ws://localhost:8080/ws"),
        ("http://[::1]:9000/v1/", "http://[::1]:9000/v1", "ws://[::1]:9000/v1/ws"),
        ("http://host/apus", "http://host:80/apus", "ws://host:80/apus/ws"),
        ("http://host/a/b.c/v1/ws", "http://host:80/a/b.c/v1", "ws://host:80/a/b.c/v1/ws"),
        ("https://host/apus/ws/", "https://host:443/apus", "wss://host:443/apus/ws"),
        ("http://host/v2", "http://host:80/v2", "ws://host:80/v2/ws"),
        ("unix:/run/a b.sock", "http+unix://%2Frun%2Fa%20b.sock", "unix:/run/a b.sock:/ws"),
        ("unix:///run/s:/apus/v1", "http+unix://%2Frun%2Fs/apus/v1", "unix:/run/s:/apus/v1/ws"),
    ]
    )
    func `gives the REST base and the WebSocket URL whatever its scheme`(text: String, rest: String, webSocket: String)
        throws
    {
        let address = try ServerAddress(text)
        #expect(address.restBase == rest)
        #expect(address.webSocketURL == webSocket)
    }

    @Test func `knows its parts`() throws {
        let address = try ServerAddress("wss://[2001:db8::1]/v1")
        #expect(address == ServerAddress(host: "2001:db8::1", port: 443, isSecure: true, dialect: .v1))
        let file = try ServerAddress("unix:/run/apus.sock:/apus/v1/")
        #expect(file == ServerAddress(unixSocket: "/run/apus.sock", basePath: "/apus", dialect: .v1))
        #expect(file.hostHeader == "localhost" && file.authority == "unix:/run/apus.sock")
        #expect(file.speaking(.base).description == "unix:/run/apus.sock:/apus")
    }

    @Test(arguments: [
        "http://host:80", "https://[::1]:443/apus/v1", "unix:/run/apus.sock", "unix:/run/a:b", "unix:/run/s:/apus",
        "unix:/run/s:/v1",
    ]
    )
    func `is what it says that it is`(text: String) throws {
        #expect(try ServerAddress(text).description == text)
    }

    @Test(arguments: [
        "", "localhost", "localhost:8080", "ftp://localhost", "http://", "http://:80", "http://host:",
        "http://host:0", "http://host:65536", "http://host:+80", "http://host:80x", "http://host/a/../b",
        "http://host/./v1", "http://host/é", "http://host?x=1", "http://host#x", "http://user@host", "http://ho st",
        "http://[::1", "http://[]", "http://[host]", "http://::1:80",
        "unix:", "unix:apus.sock", "unix:@apus", "unix:/", "unix:/run/", "unix://host/run/apus.sock",
        "unix:/run/s:/../v1",
        "unix:/" + String(repeating: "x", count: 103),
    ]
    )
    func `is refused with its own text when it is none`(text: String) {
        let error = #expect(throws: ClientError.self) { try ServerAddress(text) }
        #expect(error?.code == .badAddress)
        #expect(error?.message.contains("'\(text)'") == true)
    }

    @Test(arguments: [
        ("orders-1_a~b", "orders-1_a~b"), ("a/b", "a%2Fb"), ("a b%", "a%20b%25"), ("é", "%C3%A9"),
        ("..", "%2E%2E"), ("a.b", "a.b"),
    ]
    )
    func `encodes a topic's name as one path segment`(name: String, encoded: String) {
        #expect(RESTClient.percentEncoded(name) == encoded)
    }
}
