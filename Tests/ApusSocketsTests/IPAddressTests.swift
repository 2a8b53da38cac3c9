import Testing

@testable import ApusSockets

@Suite struct IPAddressTests {
    @Test(arguments: [
        ("10.0.0.1", "10.0.0.1"), ("::1", "::1"), ("FD00:0:0::A", "fd00::a"), ("::ffff:10.0.0.1", "10.0.0.1"),
        ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"), ("::", "::"),
    ])
    func `an address is written in its shortest form`(text: String, shown: String) {
        #expect(IPAddress(text)?.description == shown)
    }

    @Test(arguments: [
        "", "1.2.3", "1.2.3.4.5", "256.1.1.1", "[::1]", "::1%lo", "1.2.3.4:80", "a", "01.2.3.4 ", "::g", "1.2.3.4\0",
        "::1\0x",
    ])
    func `what is no address is refused`(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test(arguments: [
        ("127.0.0.1", true), ("127.255.0.9", true), ("::1", true), ("::ffff:127.0.0.1", true), ("128.0.0.1", false),
        ("0.0.0.0", false), ("::", false), ("::2", false), ("1::1", false),
    ])
    func `loopback is known in every form`(text: String, isLoopback: Bool) {
        #expect(IPAddress(text)?.isLoopback == isLoopback)
    }

    @Test(arguments: [
        ("192.0.2.7", "192.0.2.7"), ("::ffff:192.0.2.7", "192.0.2.7"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::", "2001:db8:1:2::"), ("::1", "::"),
    ])
    func `a client's network is its IPv4 address, or the 64 bits before the machine's`(address: String, network: String)
    {
        #expect(IPAddress(address)?.network.description == network)
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.255.1.2", true), ("10.0.0.0/8", "11.0.0.0", false), ("10.1.2.3/8", "10.9.9.9", true),
        ("10.0.0.0/8", "::ffff:10.1.1.1", true), ("10.0.0.0/8", "::10.1.1.1", false), ("0.0.0.0/0", "9.9.9.9", true),
        ("0.0.0.0/0", "::1", false), ("::/0", "9.9.9.9", true), ("::/0", "fd00::1", true),
        ("fd00::/8", "fdff::1", true), ("fd00::/8", "fe00::1", false), ("fd00::/65", "fd00::7fff:0:0:0", true),
        ("fd00::/65", "fd00::8000:0:0:0", false), ("192.168.1.7", "192.168.1.7", true),
        ("192.168.1.7", "192.168.1.8", false), ("::1", "::1", true), ("10.0.0.4/31", "10.0.0.5", true),
        ("10.0.0.4/31", "10.0.0.6", false),
    ])
    func `a range contains the addresses with its prefix`(range: String, address: String, contains: Bool) throws {
        let address = try #require(IPAddress(address))
        #expect(AddressRange(range)?.contains(address) == contains)
    }

    @Test(arguments: [
        "", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "::/129", "::/x", "a/8", "10/8",
    ])
    func `what is no range is refused`(text: String) {
        #expect(AddressRange(text) == nil)
    }

    @Test(arguments: [
        ("10.1.2.3/8", "10.0.0.0/8"), ("10.1.2.3", "10.1.2.3"), ("10.1.2.3/32", "10.1.2.3"),
        ("FD00::1/8", "fd00::/8"), ("::1/128", "::1"), ("0.0.0.0/0", "0.0.0.0/0"), ("::/0", "::/0"),
    ])
    func `a range is written with its prefix, and an address without`(text: String, shown: String) {
        #expect(AddressRange(text)?.description == shown)
    }
}
