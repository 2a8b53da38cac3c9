import ApusProtocol
import ApusSockets
import Testing

@testable import ApusServer

@Suite struct ProxyHeaderTests {
    private func parse(_ bytes: [UInt8]) -> ProxyHeader.ParseResult {
        bytes.withUnsafeBytes { ProxyHeader.parse($0) }
    }

    private static func header(_ client: String?, port: UInt16 = 0, size: Int) -> ProxyHeader.ParseResult {
        .header(ProxyHeader(client: client.flatMap { IPAddress($0) }.map { PeerAddress($0, port: port) }, size: size))
    }

    private static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]

    /// A header of version 2, with the bytes that follow its first sixteen.
    private static func binary(_ command: UInt8, _ family: UInt8, _ rest: [UInt8], length: Int? = nil) -> [UInt8] {
        let length = length ?? rest.count
        return signature + [command, family, UInt8(length >> 8), UInt8(length & 0xFF)] + rest
    }

    private static let four: [UInt8] = [203, 0, 113, 5, 10, 0, 0, 1, 0x12, 0x67, 0x1F, 0x90]
    private static let six: [UInt8] =
        [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [5] + [UInt8](repeating: 1, count: 16)
        + [0x12, 0x67, 0x1F, 0x90]

    @Test(
        arguments: [
            ("PROXY TCP4 203.0.113.5 10.0.0.1 4711 8080\r\n", "203.0.113.5", 4711),
            ("PROXY TCP6 2001:db8::5 fd00::1 65535 1\r\nGET /", "2001:db8::5", 65535),
            ("PROXY UNKNOWN\r\n", nil, 0),
            ("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\nrest", nil, 0),
        ] as [(String, String?, UInt16)]
    )
    func `version 1 is a line`(text: String, client: String?, port: UInt16) throws {
        let end = try #require(text.utf8.firstIndex(of: 10))
        let size = text.utf8.distance(from: text.startIndex, to: end) + 1
        #expect(parse(Array(text.utf8)) == Self.header(client, port: port, size: size))
    }

    @Test func `version 2 is binary`() {
        #expect(parse(Self.binary(0x21, 0x11, Self.four)) == Self.header("203.0.113.5", port: 4711, size: 28))
        #expect(parse(Self.binary(0x21, 0x21, Self.six)) == Self.header("2001:db8::5", port: 4711, size: 52))
    }

    @Test func `extensions behind the addresses belong to the header`() {
        let bytes = Self.binary(0x21, 0x11, Self.four + [4, 0, 3, 1, 2, 3]) + Array("GET /".utf8)
        #expect(parse(bytes) == Self.header("203.0.113.5", port: 4711, size: 34))
    }

    @Test func `a proxy may speak for itself, or for a client without an address`() {
        #expect(parse(Self.binary(0x20, 0x00, [])) == Self.header(nil, size: 16))
        #expect(parse(Self.binary(0x20, 0x11, Self.four)) == Self.header(nil, size: 28))
        #expect(parse(Self.binary(0x21, 0x00, [1, 2])) == Self.header(nil, size: 18))
        #expect(parse(Self.binary(0x21, 0x31, [UInt8](repeating: 0, count: 216))) == Self.header(nil, size: 232))
        // Datagrams, although with an address.
        #expect(parse(Self.binary(0x21, 0x12, Self.four)) == Self.header(nil, size: 28))
        // The family of what is to be ignored does not matter.
        #expect(parse(Self.binary(0x20, 0xFF, [1])) == Self.header(nil, size: 17))
    }

    @Test func `a client without a port has an address`() {
        let bytes = Self.binary(0x21, 0x11, [203, 0, 113, 5, 10, 0, 0, 1, 0, 0, 0, 0])
        #expect(parse(bytes) == Self.header("203.0.113.5", port: 0, size: 28))
    }

    @Test func `an IPv4 address may be written as IPv6`() {
        let text = "PROXY TCP6 ::ffff:203.0.113.5 ::ffff:10.0.0.1 1 2\r\n"
        #expect(parse(Array(text.utf8)) == Self.header("203.0.113.5", port: 1, size: text.utf8.count))
    }

    @Test func `the longest headers are taken, and no longer ones`() {
        let line = "PROXY UNKNOWN " + String(repeating: "x", count: 91) + "\r\n"
        #expect(line.utf8.count == 107)
        #expect(parse(Array(line.utf8)) == Self.header(nil, size: 107))
        #expect(parse(Array(("PROXY UNKNOWN " + String(repeating: "x", count: 92) + "\r\n").utf8)) == .malformed)
        let rest = Self.four + [UInt8](repeating: 4, count: ProxyHeader.maxSize - 16 - Self.four.count)
        #expect(parse(Self.binary(0x21, 0x11, rest)) == Self.header("203.0.113.5", port: 4711, size: 4096))
        #expect(parse(Self.binary(0x21, 0x11, rest + [4])) == .malformed)
    }

    @Test(arguments: [
        Array("PROXY TCP4 203.0.113.5 10.0.0.1 4711 8080\r\n".utf8), Array("PROXY UNKNOWN\r\n".utf8),
        binary(0x21, 0x11, four), binary(0x21, 0x21, six), binary(0x20, 0, []),
    ])
    func `every part of a header is incomplete`(bytes: [UInt8]) {
        for count in 0..<bytes.count { #expect(parse(Array(bytes.prefix(count))) == .incomplete) }
        let whole = parse(bytes)
        guard case .header(let header) = whole else {
            Issue.record("\(bytes) is no header")
            return
        }
        #expect(header.size == bytes.count)
        // What follows belongs to the connection.
        for next in [[], [0], [10], [13, 10], Array("GET / HTTP/1.1".utf8), bytes] {
            #expect(parse(bytes + next) == whole)
        }
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `whatever comes, a header lies within it`(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let headers = [
            Array("PROXY TCP4 203.0.113.5 10.0.0.1 4711 8080\r\n".utf8), Array("PROXY UNKNOWN\r\n".utf8),
            Self.binary(0x21, 0x11, Self.four), Self.binary(0x21, 0x21, Self.six), Self.binary(0x20, 0, []),
            Self.signature, Array("PROXY ".utf8), [],
        ]
        for _ in 0..<500 {
            var bytes = headers.randomElement(using: &random) ?? []
            for _ in 0..<Int.random(in: 0...2, using: &random) where !bytes.isEmpty {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            bytes.removeLast(min(Int.random(in: 0...3, using: &random), bytes.count))
            for _ in 0..<Int.random(in: 0...30, using: &random) { bytes.append(.random(in: 0...255, using: &random)) }
            let result = parse(bytes)
            if case .header(let header) = result { #expect((1...bytes.count).contains(header.size), "\(bytes)") }
            // More bytes change no decision that was made.
            if result != .incomplete { #expect(parse(bytes + [.random(in: 0...255, using: &random)]) == result) }
        }
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\n", "PROXX", "proxy TCP4 1.1.1.1 1.1.1.1 1 1\r\n", "PROXY TCP4 1.1.1.1 1.1.1.1 1\r\n",
        "PROXY TCP4 1.1.1.1 1.1.1.1 1 1 1\r\n", "PROXY TCP4 1.1.1.1 1.1.1.1 1 65536\r\n",
        "PROXY TCP4 1.1.1.1 1.1.1.1 -1 1\r\n", "PROXY TCP4 1.1.1.1 1.1.1.1 +1 1\r\n", "PROXY TCP4 ::1 ::1 1 1\r\n",
        "PROXY TCP6 1.1.1.1 1.1.1.1 1 1\r\n", "PROXY TCP4 a 1.1.1.1 1 1\r\n", "PROXY TCP4 1.1.1.1 1.1.1.1 1 1\n",
        "PROXY TCP4 1.1.1.1 ::1 1 1\r\n", "PROXY TCP6 ::1 1.1.1.1 1 1\r\n", "PROXY TCP4 1.1.1.1 1.1.1.1 01 1\r\n",
        "PROXY TCP4 1.1.1.1\0 1.1.1.1 1 1\r\n", "PROXY TCP4 1.1.1.1 1.1.1.1 1 1\r\r\n", "PROXY\r\n", "\r\n\r\nGET",
        "PROXY \r\n", "PROXY  TCP4 1.1.1.1 1.1.1.1 1 1\r\n", "PROXY UNIX\r\n",
        "PROXY UNKNOWN " + String(repeating: "x", count: 107),
    ])
    func `another line is no header`(text: String) {
        #expect(parse(Array(text.utf8)) == .malformed)
    }

    @Test(arguments: [
        binary(0x11, 0x11, four), binary(0x22, 0x11, four), binary(0x2F, 0x11, four), binary(0x21, 0x11, [1, 2, 3]),
        binary(0x21, 0x21, four), binary(0x21, 0x11, [], length: 65535), binary(0x20, 0, [], length: 4081),
        binary(0x21, 0x13, four), binary(0x21, 0x41, four), binary(0x21, 0x10, four), binary(0x21, 0x01, four),
    ])
    func `other bytes behind the signature are no header`(bytes: [UInt8]) {
        #expect(parse(bytes) == .malformed)
    }
}
