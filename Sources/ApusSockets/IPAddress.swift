import Glibc

/// An IPv4 or IPv6 address. An IPv4 address equals its IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2).
package struct IPAddress: Sendable, Hashable, CustomStringConvertible {
    /// The address as IPv6, in network order: its first and its last eight bytes.
    let high: UInt64
    let low: UInt64

    /// What comes before the four bytes of an IPv4 address.
    private static let mappedPrefix: UInt64 = 0xFFFF << 32

    init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    init(_ address: in_addr) {
        self.init(high: 0, low: Self.mappedPrefix | UInt64(UInt32(bigEndian: address.s_addr)))
    }

    init(_ address: in6_addr) {
        self = withUnsafeBytes(of: address) { bytes in
            IPAddress(
                high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
                low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            )
        }
    }

    /// Parses `10.0.0.1` or `fd00::1`, without brackets, port or zone.
    package init?(_ text: some StringProtocol) {
        let text = String(text)
        // The system would stop reading there.
        guard !text.utf8.contains(0) else { return nil }
        var four = in_addr()
        var six = in6_addr()
        if inet_pton(AF_INET, text, &four) == 1 {
            self.init(four)
        } else if inet_pton(AF_INET6, text, &six) == 1 {
            self.init(six)
        } else {
            return nil
        }
    }

    /// An address from its 4 or 16 bytes in network order; `nil` for any other number of bytes.
    package init?(bytes: some Collection<UInt8>) {
        switch bytes.count {
        case 4: self.init(high: 0, low: Self.mappedPrefix | bytes.reduce(0) { $0 << 8 | UInt64($1) })
        case 16:
            self.init(
                high: bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) },
                low: bytes.dropFirst(8).reduce(0) { $0 << 8 | UInt64($1) }
            )
        default: return nil
        }
    }

    /// The four bytes of an IPv4 address; `nil` for an IPv6 address.
    private var four: UInt32? {
        high == 0 && low >> 32 == Self.mappedPrefix >> 32 ? UInt32(truncatingIfNeeded: low) : nil
    }

    /// Whether the address is this machine's own: `127.0.0.0/8` or `::1`.
    package var isLoopback: Bool {
        if let four { four >> 24 == 127 } else { high == 0 && low == 1 }
    }

    package var isIPv4: Bool { four != nil }

    /// What limits per client count by: an IPv4 address itself, or the /64 network of an IPv6 address, of which a
    /// single machine may use every address (RFC 4862 section 5.5).
    package var network: IPAddress { isIPv4 ? self : IPAddress(high: high, low: 0) }

    /// The address as the system has it: an `in_addr` where it is IPv4.
    var systemAddress: (four: in_addr?, six: in6_addr) {
        var six = in6_addr()
        withUnsafeMutableBytes(of: &six) { bytes in
            bytes.storeBytes(of: high.bigEndian, as: UInt64.self)
            bytes.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
        }
        return (four.map { in_addr(s_addr: $0.bigEndian) }, six)
    }

    package var description: String { PeerAddress(self, port: 0).ipAddress }
}

/// A range of addresses in CIDR notation: `10.0.0.0/8`, `fd00::/8`, or a single address.
package struct AddressRange: Sendable, Hashable, CustomStringConvertible {
    package let base: IPAddress
    /// How many leading bits of the IPv6 form are fixed, from 0 to 128.
    private let bits: Int

    /// Parses a range. Bits behind the prefix are ignored, so `10.1.2.3/8` is `10.0.0.0/8`.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = IPAddress(parts[0]) else { return nil }
        let width = address.isIPv4 && !parts[0].contains(":") ? 32 : 128
        var prefix = width
        if parts.count > 1 {
            guard let given = Int(parts[1]), (0...width).contains(given), parts[1].allSatisfy(\.isNumber) else {
                return nil
            }
            prefix = given
        }
        bits = 128 - width + prefix
        base = Self.mask(address, bits)
    }

    package func contains(_ address: IPAddress) -> Bool { Self.mask(address, bits) == base }

    private static func mask(_ address: IPAddress, _ bits: Int) -> IPAddress {
        // Swift's shift gives 0 where all bits are shifted out.
        IPAddress(
            high: address.high & ~(UInt64.max >> UInt64(min(bits, 64))),
            low: address.low & ~(UInt64.max >> UInt64(max(bits - 64, 0)))
        )
    }

    package var description: String {
        let (width, prefix) = base.isIPv4 && bits >= 96 ? (32, bits - 96) : (128, bits)
        return prefix == width ? "\(base)" : "\(base)/\(prefix)"
    }
}
