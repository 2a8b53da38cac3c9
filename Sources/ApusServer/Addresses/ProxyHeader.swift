import ApusSockets

/// The header that a proxy puts before a connection's bytes to tell the client's address: the PROXY protocol, versions
/// 1 and 2 (haproxy.org, `proxy-protocol.txt`, sections 2.1 and 2.2).
struct ProxyHeader: Equatable {
    enum ParseResult: Equatable {
        case header(ProxyHeader)
        /// The bytes may become a header.
        case incomplete
        case malformed
    }

    /// The client's address and port; `nil` if the proxy speaks for itself, or does not know.
    let client: PeerAddress?
    /// The header's length in bytes.
    let size: Int

    /// The longest header of version 1, with the end of its line.
    private static let longestLine = 107
    /// The longest header of version 2 that is accepted. The addresses take at most 232 bytes; extensions may follow.
    static let maxSize = 4096
    private static let signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10]
    /// The bytes of version 2 before the addresses: the signature, command, family, and the length of the rest.
    private static let startSize = signature.count + 4

    /// Parses the header at the start of `bytes`.
    static func parse(_ bytes: UnsafeRawBufferPointer) -> ParseResult {
        if zip(bytes, signature).allSatisfy(==) {
            return bytes.count < startSize ? .incomplete : parseBinary(bytes)
        }
        guard zip(bytes, "PROXY ".utf8).allSatisfy(==) else { return .malformed }
        let line = bytes.prefix(longestLine)
        guard let end = line.firstIndex(of: UInt8(ascii: "\n")) else {
            return bytes.count < longestLine ? .incomplete : .malformed
        }
        guard bytes[end - 1] == UInt8(ascii: "\r") else { return .malformed }
        return parse(line: String(decoding: bytes[..<(end - 1)], as: UTF8.self), size: end + 1)
    }

    // MARK: Version 1

    private static func parse(line: String, size: Int) -> ParseResult {
        let words = line.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count > 1 else { return .malformed }
        // Whatever follows this word is to be ignored.
        if words[1] == "UNKNOWN" { return .header(ProxyHeader(client: nil, size: size)) }
        guard words.count == 6, words[1] == "TCP4" || words[1] == "TCP6",
            let client = IPAddress(words[2]), IPAddress(words[3]) != nil,
            words[2...3].allSatisfy({ $0.contains(":") == (words[1] == "TCP6") }),
            let port = portNumber(words[4]), portNumber(words[5]) != nil
        else { return .malformed }
        return .header(ProxyHeader(client: PeerAddress(client, port: port), size: size))
    }

    /// A port in decimal, without a sign or leading zeros.
    private static func portNumber(_ text: Substring) -> UInt16? {
        UInt16(text).flatMap { "\($0)" == text ? $0 : nil }
    }

    // MARK: Version 2

    private static func parseBinary(_ bytes: UnsafeRawBufferPointer) -> ParseResult {
        let (command, family) = (bytes[12], bytes[13])
        let size = startSize + (Int(bytes[14]) << 8 | Int(bytes[15]))
        guard command == 0x20 || command == 0x21, size <= maxSize else { return .malformed }
        guard bytes.count >= size else { return .incomplete }
        // The proxy's own connection, such as a health check: what follows is to be ignored.
        guard command == 0x21 else { return .header(ProxyHeader(client: nil, size: size)) }
        let addresses = UnsafeRawBufferPointer(rebasing: bytes[startSize..<size])
        switch family {
        case 0x11: return header(addresses, width: 4, size: size)
        case 0x21: return header(addresses, width: 16, size: size)
        // Unspecified, datagrams, or a Unix socket: no address of a TCP client.
        case 0x00, 0x12, 0x22, 0x31, 0x32: return .header(ProxyHeader(client: nil, size: size))
        default: return .malformed
        }
    }

    /// A header with addresses of `width` bytes: the source's, the destination's, and then their ports.
    private static func header(_ addresses: UnsafeRawBufferPointer, width: Int, size: Int) -> ParseResult {
        guard addresses.count >= 2 * width + 4, let client = IPAddress(bytes: addresses.prefix(width)) else {
            return .malformed
        }
        let port = UInt16(addresses[2 * width]) << 8 | UInt16(addresses[2 * width + 1])
        return .header(ProxyHeader(client: PeerAddress(client, port: port), size: size))
    }
}
