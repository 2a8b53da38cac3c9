import CCRC32C
import Testing

@Suite("CRC-32C")
struct ChecksumTests {
    private func checksum(_ bytes: [UInt8], _ function: (UInt32, UnsafeRawPointer?, Int) -> UInt32) -> UInt32 {
        bytes.withUnsafeBytes { function(0, $0.baseAddress, $0.count) }
    }

    /// RFC 3720 appendix B.4, as the numbers that its bytes are in little-endian order.
    @Test(
        arguments: [
            ([UInt8](repeating: 0, count: 32), 0x8A91_36AA), ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
            (Array(0..<32), 0x46DD_794E), (Array((0..<32).reversed()), 0x113F_DB5C),
            (Array("123456789".utf8), 0xE306_9283),
        ] as [([UInt8], UInt32)]
    )
    func `has the values of the RFC`(_ bytes: [UInt8], _ expected: UInt32) {
        #expect(checksum(bytes, crc32c) == expected)
        #expect(checksum(bytes, crc32c_portable) == expected)
    }

    @Test func `is the same in pieces, and without the instruction`() {
        let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 3) }
        let whole = checksum(bytes, crc32c)
        #expect(checksum(bytes, crc32c_portable) == whole)
        for cut in [0, 1, 7, 8, 9, 500, 999, 1000] {
            let first = checksum(Array(bytes[..<cut]), crc32c)
            let rest = Array(bytes[cut...]).withUnsafeBytes { crc32c(first, $0.baseAddress, $0.count) }
            #expect(rest == whole)
        }
    }
}
