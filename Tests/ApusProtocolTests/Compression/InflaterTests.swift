import NIOCore
import Testing

@testable import ApusProtocol

@Suite struct InflaterTests {
    private let inflater = Inflater()

    private func inflate(_ bytes: [UInt8], limit: Int = 1 << 20) throws -> [UInt8] {
        try bytes.withUnsafeBytes { try inflater.withInflated($0, limit: limit) { Array($0) } }
    }

    private func deflate(_ bytes: [UInt8], level: Int = 6, windowBits: Int = 15) throws -> [UInt8] {
        var room = [UInt8](repeating: 0, count: bytes.count + bytes.count / 100 + 64)
        let count = bytes.withUnsafeBytes { source in
            room.withUnsafeMutableBytes { Deflater(level: level, windowBits: windowBits).deflate(source, into: $0) }
        }
        return Array(room.prefix(try #require(count)))
    }

    private static let hello = Array("Hello".utf8)

    @Test(
        arguments: [
            // Section 7.2.3.1: one block. 7.2.3.3: a block with no compression. 7.2.3.4: one that says it is the last.
            // 7.2.3.5: two blocks.
            [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
            [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
            [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
            [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
        ] as [[UInt8]]
    )
    func `the examples of RFC 7692 section 7_2_3 are read`(bytes: [UInt8]) throws {
        // Twice: nothing is left of the first.
        for _ in 0..<2 { #expect(try inflate(bytes) == Self.hello) }
    }

    @Test func `an empty message is read`() throws {
        #expect(try inflate([0x00]) == [])
        #expect(try inflate([0x02, 0x00]) == [])
        #expect(try inflate([]) == [])
    }

    @Test func `a message does not know the one before it`() throws {
        #expect(try inflate([0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]) == Self.hello)
        // The second message of section 7.2.3.2, which refers to the first.
        #expect(throws: Inflater.Fault.corrupt) { try inflate([0xf2, 0x00, 0x11, 0x00, 0x00]) }
        #expect(try inflate([0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]) == Self.hello)
    }

    @Test(
        arguments: [
            [0xff], [0x06], [0xf2], [0xf2, 0x48, 0xcd], [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48],
            [0x00, 0x05, 0x00, 0x00, 0x00],
            [0x04, 0x00], [0x07, 0xff, 0xff, 0xff],
        ] as [[UInt8]]
    )
    func `what is no DEFLATE data, or ends within it, is refused`(bytes: [UInt8]) {
        #expect(throws: Inflater.Fault.corrupt) { try inflate(bytes) }
    }

    @Test(arguments: [0, 1, 125, 512, 65_535, 65_536, 65_537, 131_072, 1_000_000])
    func `a message of exactly the limit is read, one byte more is not`(size: Int) throws {
        for byte: UInt8? in [7, nil] {
            let message = (0..<size).map { _ in byte ?? .random(in: 0...255) }
            let bytes = try deflate(message)
            #expect(try inflate(bytes, limit: size) == message)
            if size > 0 {
                #expect(throws: Inflater.Fault.tooLarge) { try inflate(bytes, limit: size - 1) }
            }
        }
    }

    @Test func `a bomb is cut at the limit`() throws {
        // A gigabyte in one megabyte.
        let part = try deflate([UInt8](repeating: 0, count: 16 << 20)) + [0, 0, 0xff, 0xff]
        let bomb = Array(repeatElement(part, count: 64).joined())
        for limit in [0, 1, 1 << 16, 1 << 20] {
            #expect(throws: Inflater.Fault.tooLarge) { try inflate(bomb, limit: limit) }
        }
    }

    @Test func `blocks that say they are the last may be many`() throws {
        let last: [UInt8] = [0x03, 0x00]
        #expect(try inflate(Array(repeatElement(last, count: 10_000).joined()) + [0x00]) == [])
        #expect(try inflate(Array(repeatElement(last, count: 10_000).joined())) == [])
    }

    /// As zlib's own end of a stream has it, without the byte that section 7.2.3.4 wants behind it.
    @Test func `a message may end with a last block`() throws {
        let last: [UInt8] = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]
        let open: [UInt8] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]
        for _ in 0..<2 {
            #expect(try inflate(last) == Self.hello)
            #expect(try inflate(last + last + last) == Self.hello + Self.hello + Self.hello)
            #expect(try inflate(last + open) == Self.hello + Self.hello)
            #expect(try inflate(last + [0x00]) == Self.hello)
            #expect(throws: Inflater.Fault.corrupt) { try inflate(last + [0xff]) }
            #expect(throws: Inflater.Fault.corrupt) { try inflate(Array(last.dropLast(2))) }
            #expect(throws: Inflater.Fault.tooLarge) { try inflate(last + last, limit: 9) }
            #expect(try inflate(last + last, limit: 10).count == 10)
        }
    }

    @Test(arguments: [1, 6, 9])
    func `what is compressed with any window is read`(level: Int) throws {
        for windowBits in 9...15 {
            for size in [1, 100, 5000, 200_000] {
                let message = (0..<size).map { UInt8(truncatingIfNeeded: $0 / 3 &* 31 % 97) }
                #expect(try inflate(deflate(message, level: level, windowBits: windowBits)) == message)
            }
        }
    }

    @Test func `no bytes break it`() throws {
        var generator = SystemRandomNumberGenerator()
        let good = try deflate((0..<3000).map { UInt8(truncatingIfNeeded: $0 % 61) })
        for round in 0..<30_000 {
            var bytes: [UInt8]
            if round % 2 == 0 {
                bytes = (0..<Int.random(in: 0..<200, using: &generator)).map { _ in
                    .random(in: 0...255, using: &generator)
                }
            } else {
                bytes = good
                for _ in 0..<Int.random(in: 1...4, using: &generator) {
                    bytes[Int.random(in: 0..<bytes.count, using: &generator)] = .random(in: 0...255, using: &generator)
                }
                bytes.removeLast(Int.random(in: 0..<bytes.count, using: &generator))
            }
            let result = Result { try inflate(bytes, limit: 10_000) }
            if case .success(let message) = result { #expect(message.count <= 10_000) }
        }
        #expect(try inflate(good).count == 3000)
    }
}
