import ApusProtocol
import NIOCore

extension ValueCodec where Value == String {
    static var host: ValueCodec {
        ValueCodec(
            "address",
            expectation: "an IP address or a host name",
            read: { text in
                // The log and URLs write an IPv6 address in brackets.
                if text.hasPrefix("["), text.hasSuffix("]"), text.contains(":") {
                    let address = String(text.dropFirst().dropLast())
                    return isHost(address) ? address : nil
                }
                return isHost(text) ? text : nil
            },
            show: { .text($0) }
        )
    }

    /// The prefix of all paths: empty, or `/apus` without a slash at its end.
    static var basePath: ValueCodec {
        ValueCodec(
            "path",
            expectation: basePathExpectation,
            read: { text in
                let path = text.hasSuffix("/") ? String(text.dropLast()) : text
                return path.isEmpty || isBasePath(path) ? path : nil
            },
            show: { .text($0) }
        )
    }

    static let basePathExpectation =
        "a path such as /apus, of letters, digits and any of - . _ ~, that does not end in /v1 or /ws"

    private static func isBasePath(_ path: String) -> Bool {
        guard path.hasPrefix("/"), path.utf8.count <= 255 else { return false }
        let segments = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        // In a server's URL, these two words name the dialect and the endpoint.
        guard let last = segments.last, !["v1", "ws"].contains(last) else { return false }
        return segments.allSatisfy { segment in
            !segment.isEmpty && segment != "." && segment != ".." && segment.utf8.allSatisfy(isUnreserved)
        }
    }

    /// Whether a byte of a path is never percent-encoded (RFC 3986 section 2.3).
    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }

    private static func isHost(_ text: String) -> Bool {
        guard (1...253).contains(text.utf8.count) else { return false }
        if text.contains(":") {
            // The zone names an interface and is not part of the address.
            let address = text.prefix { $0 != "%" }
            return (try? SocketAddress(ipAddress: String(address), port: 0)) != nil
        }
        if text.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }) {
            return (try? SocketAddress(ipAddress: text, port: 0)) != nil
        }
        return text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }
}
