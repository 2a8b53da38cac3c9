import ApusProtocol
import ApusSockets
import Testing

@testable import ApusServer

@Suite struct TrustedProxiesTests {
    private static func peer(_ address: String) -> PeerAddress? {
        address == "unix" ? .unix : IPAddress(address).map { PeerAddress($0, port: 1) }
    }

    private func client(of peer: String, _ forwardedFor: String, _ entries: [String] = ["10.0.0.0/8", "fd00::/8"])
        throws -> String
    {
        let proxies = try #require(TrustedProxies(entries))
        return try proxies.client(of: #require(Self.peer(peer)), forwardedFor: forwardedFor).description
    }

    @Test(arguments: [
        // Without a trusted proxy, everybody may write what they like.
        ("192.0.2.1", "203.0.113.5", "192.0.2.1:1"), ("11.0.0.1", "10.0.0.1", "11.0.0.1:1"),
        ("unix", "203.0.113.5", "unix"),
        ("10.0.0.1", "203.0.113.5", "203.0.113.5"),
        // What the client has sent itself is before its address.
        ("10.0.0.1", "1.1.1.1, 203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", "10.7.7.7, 203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", "203.0.113.5, 10.2.2.2", "203.0.113.5"),
        ("10.0.0.1", "203.0.113.5,10.2.2.2,\t10.3.3.3 ", "203.0.113.5"),
        ("fd00::1", "2001:db8::5", "2001:db8::5"), ("10.0.0.1", "2001:DB8:0::5", "2001:db8::5"),
        ("10.0.0.1", "::ffff:203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", "[2001:db8::5]:4711", "2001:db8::5"), ("10.0.0.1", "[2001:db8::5]", "2001:db8::5"),
        ("10.0.0.1", "203.0.113.5:4711", "203.0.113.5"),
        ("::ffff:10.0.0.1", "203.0.113.5", "203.0.113.5"),
        // All trusted: the one that is farthest away.
        ("10.0.0.1", "10.9.9.9, 10.2.2.2", "10.9.9.9"),
        // What is no address ends the search.
        ("10.0.0.1", "203.0.113.5, unknown", "10.0.0.1:1"), ("10.0.0.1", "unknown, 203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", "evil, 10.2.2.2", "10.2.2.2"), ("10.0.0.1", ", 10.2.2.2", "10.2.2.2"),
    ])
    func `the client is the last that is no trusted proxy`(peer: String, forwardedFor: String, client: String) throws {
        #expect(try self.client(of: peer, forwardedFor) == client)
    }

    @Test(arguments: [
        "", ",", " ", "unknown", "unix", "[::1", "[::1]x", "[::1]:", "[::1]:x", "[::1]:65536", "[10.1.1.1]", "1.1.1.1:",
        "1.1.1.1:x", "1.1.1.1:-1", "1.1.1.1:65536", "1.1.1", "1.1.1.1 2.2.2.2", "\"1.1.1.1\"", "for=1.1.1.1", "_hidden",
        "::1%lo", "1.1.1.1;", "1.1.1.1\0", "203.0.113.5,", "é",
    ])
    func `what is no address is passed over`(forwardedFor: String) throws {
        #expect(try client(of: "10.0.0.1", forwardedFor) == "10.0.0.1:1")
    }

    @Test func `clients of Unix sockets are proxies only where unix is listed`() throws {
        #expect(try client(of: "unix", "203.0.113.5", ["unix"]) == "203.0.113.5")
        #expect(try client(of: "unix", "203.0.113.5, 10.0.0.1", ["unix", "10.0.0.1"]) == "203.0.113.5")
        #expect(try client(of: "unix", "nonsense", ["unix"]) == "unix")
        #expect(try client(of: "10.0.0.1", "203.0.113.5", ["unix"]) == "10.0.0.1:1")
        let nobody = TrustedProxies()
        #expect(!nobody.trusts(.unix) && !nobody.trusts(.unknown))
        #expect(try #require(TrustedProxies(["0.0.0.0/0", "::/0"])).trusts(.unix) == false)
    }

    @Test func `a chain that is too long ends at a proxy`() throws {
        let chain = (0..<100).map { "10.0.0.\($0)" }.joined(separator: ",")
        #expect(try client(of: "10.1.1.1", "203.0.113.5," + chain) == "10.0.0.\(100 - TrustedProxies.maxHops)")
        let short = (0..<60).map { "10.0.0.\($0)" }.joined(separator: ",")
        #expect(try client(of: "10.1.1.1", "203.0.113.5," + short) == "203.0.113.5")
    }

    /// A chain of proxies appends what each sees to whatever the client has sent.
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `nothing that a client sends changes its address`(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let pieces = [
            ",", " ", "10.1.1.1", "fd00::1", "203.0.113.9", "unknown", "[", "]", ":", "\"", "\0", "é", "unix", "::",
            "/8",
            "10.1.1.1,", "for=", "\t", "1", ".",
        ]
        for _ in 0..<200 {
            let forged = (0..<Int.random(in: 0...12, using: &random)).map { _ in
                pieces.randomElement(using: &random) ?? ""
            }
            let proxies = (0..<Int.random(in: 0...3, using: &random)).map { "10.\($0).0.1" }
            let field = ([forged.joined()] + ["198.51.100.7"] + proxies).joined(separator: ", ")
            #expect(try client(of: "fd00::1", field) == "198.51.100.7", "\(field)")
            // To somebody else, the same field says nothing.
            #expect(try client(of: "198.51.100.8", field) == "198.51.100.8:1")
        }
    }

    @Test(arguments: ["", "10.0.0.0/33", "10", "localhost", "Unix", "10.0.0.1:80", "[::1]", "*", "unix:/run/x"])
    func `an entry is an address, a range or unix`(entry: String) {
        #expect(TrustedProxies([entry]) == nil && TrustedProxies(["10.0.0.1", entry]) == nil)
    }

    @Test func `entries are shown in their shortest form`() {
        let entries = ["unix", "10.1.2.3/8", "FD00::1", "192.0.2.1/32"]
        #expect(TrustedProxies(entries)?.entries == ["10.0.0.0/8", "fd00::1", "192.0.2.1", "unix"])
    }
}
