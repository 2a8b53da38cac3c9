import Testing

@testable import ApusServer

@Suite struct ListenAddressTests {
    @Test(arguments: [
        ("127.0.0.1:8080", "127.0.0.1:8080"), ("[::1]:8080", "[::1]:8080"), ("http://[::1]:0/", "[::1]:0"),
        ("http://localhost:80", "localhost:80"), ("[fe80::1%eth0]:1", "[fe80::1%eth0]:1"),
        ("unix:/run/apus.sock", "unix:/run/apus.sock"), ("unix:///run/a b:1", "unix:/run/a b:1"),
        ("unix:/x", "unix:/x"),
        ("unix:/" + String(repeating: "x", count: 102), "unix:/" + String(repeating: "x", count: 102)),
    ])
    func `an address is read as the log and others write it`(text: String, description: String) throws {
        let address = try #require(ListenAddress(text))
        #expect(address.description == description)
        #expect(ListenAddress(description) == address)
        #expect(ListenAddress(address.url()) == address)
    }

    @Test(arguments: [
        "", "unix", "unix:", "unix:x", "unix://x", "unix:/", "unix:/run/", "unix:/a\nb", "unix:@x", "8080", ":1",
        "[::1]", "::1:1",
        "[]:1", "[localhost]:1", "a b:1", "a:-1", "a:65536", "a:", "https://a:1", "a:1/x",
        "unix:/" + String(repeating: "x", count: 103),
    ])
    func `what is none is refused`(text: String) {
        #expect(ListenAddress(text) == nil)
    }

    @Test func `a list is bounded and has no address twice`() throws {
        func load(_ addresses: [String]) throws -> [ListenAddress] {
            try ServerConfiguration.load(flags: ["listen": addresses], environment: [:]).configuration.listenAddresses
        }
        let most = (1...ListenAddress.maximumCount).map { "127.0.0.1:\($0)" }
        #expect(try load(most).count == ListenAddress.maximumCount)
        #expect(throws: ConfigurationError.self) { try load(most + ["127.0.0.1:99"]) }
        #expect(throws: ConfigurationError.self) { try load(["unix:/run/s", "unix:///run/s"]) }
        // A port that is chosen is another one each time.
        #expect(try load(["127.0.0.1:0", "127.0.0.1:0"]).count == 2)
        #expect(try load([]) == [.tcp(host: "127.0.0.1", port: 8080)])
    }
}
