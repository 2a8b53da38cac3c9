import Glibc
import Testing

@testable import ApusSockets

@Suite struct PeerAddressTests {
    private func four(_ text: String, port: UInt16) -> PeerAddress {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        inet_pton(AF_INET, text, &address.sin_addr)
        return PeerAddress(storage(of: address))
    }

    private func six(_ text: String, port: UInt16) -> PeerAddress {
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = port.bigEndian
        inet_pton(AF_INET6, text, &address.sin6_addr)
        return PeerAddress(storage(of: address))
    }

    private func storage<Address>(of address: Address) -> sockaddr_storage {
        var storage = sockaddr_storage()
        withUnsafeMutableBytes(of: &storage) { space in
            withUnsafeBytes(of: address) { space.copyMemory(from: $0) }
        }
        return storage
    }

    @Test(arguments: ["127.0.0.1", "0.0.0.0", "255.255.255.255", "203.0.113.9"])
    func `an IPv4 address is written with dots`(host: String) {
        for port: UInt16 in [1, 80, 50_123, 65_535] {
            let address = four(host, port: port)
            #expect(address.description == "\(host):\(port)")
            #expect(address.ipAddress == host)
            #expect(address.port == port)
        }
    }

    @Test(arguments: [
        "::", "::1", "2001:db8::1", "fe80::1234:5678:9abc:def0", "::ffff:192.0.2.128",
        "1111:2222:3333:4444:5555:6666:7777:8888",
    ])
    func `an IPv6 address is in brackets before its port, and without them alone`(host: String) {
        let address = six(host, port: 50_123)
        #expect(address.description == "[\(host)]:50123")
        #expect(address.ipAddress == host)
        #expect(address.port == 50_123)
    }

    @Test(arguments: ["127.0.0.1", "2001:db8::1"])
    func `an address without a port is written alone`(host: String) throws {
        let ip = try #require(IPAddress(host))
        #expect(PeerAddress(ip, port: 0).description == host)
    }

    @Test func `addresses are equal if host and port are`() throws {
        let ip = try #require(IPAddress("192.0.2.1"))
        #expect(PeerAddress(ip, port: 1) == four("192.0.2.1", port: 1))
        #expect(PeerAddress(ip, port: 1) == six("::ffff:192.0.2.1", port: 1))
        #expect(PeerAddress(ip, port: 1) != PeerAddress(ip, port: 2))
        #expect(PeerAddress.unix == .unix && PeerAddress.unix != .unknown && PeerAddress.unknown == .unknown)
    }

    @Test func `what is no TCP address has no number, and only that of a Unix socket a text`() {
        var storage = sockaddr_storage()
        for (family, text) in [(AF_UNIX, "unix"), (AF_NETLINK, "")] {
            storage.ss_family = sa_family_t(family)
            let address = PeerAddress(storage)
            #expect(address.description == text)
            #expect(address.isUnix == (family == AF_UNIX))
            #expect(address.ipAddress == "")
            #expect(address.port == 0)
        }
        #expect(PeerAddress.unknown.description == "" && !PeerAddress.unknown.isUnix)
    }

    @Test func `an address is small, as every connection has one`() {
        #expect(MemoryLayout<PeerAddress>.size <= 20)
    }
}
