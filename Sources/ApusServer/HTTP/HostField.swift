/// The value of a `Host` field: a host name or IP address, and optionally a port (RFC 9110 section 7.2).
enum HostField {
    /// Whether `value` has the RFC's syntax and names a host, which an http URI must do (section 4.2.1).
    static func isValid(_ value: some StringProtocol) -> Bool {
        let bytes = Array(value.utf8)
        let host: ArraySlice<UInt8>
        if bytes.first == UInt8(ascii: "[") {
            guard let end = bytes.firstIndex(of: UInt8(ascii: "]")), end > 1 else { return false }
            guard bytes[1..<end].allSatisfy(isAddressByte) else { return false }
            host = bytes[...end]
        } else {
            host = bytes.prefix { $0 != UInt8(ascii: ":") }
            guard !host.isEmpty, isName(host) else { return false }
        }
        let port = bytes[host.endIndex...]
        // The port may be empty after its colon (RFC 3986 section 3.2.3).
        guard let first = port.first else { return true }
        return first == UInt8(ascii: ":") && port.count <= 6 && port.dropFirst().allSatisfy(isDigit)
    }

    /// A registered name or an IPv4 address (RFC 3986 section 3.2.2).
    private static func isName(_ bytes: ArraySlice<UInt8>) -> Bool {
        var rest = bytes
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%") {
                guard rest.prefix(2).count == 2, rest.prefix(2).allSatisfy(isHexDigit) else { return false }
                rest = rest.dropFirst(2)
            } else {
                guard isLetter(byte) || isDigit(byte) || "-._~!$&'()*+,;=".utf8.contains(byte) else { return false }
            }
        }
        return true
    }

    /// The text between brackets: an IPv6 address, or an address of a later version.
    private static func isAddressByte(_ byte: UInt8) -> Bool {
        isLetter(byte) || isDigit(byte) || byte == UInt8(ascii: ":") || byte == UInt8(ascii: ".")
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20)
    }
}
