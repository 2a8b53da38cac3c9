import ApusProtocol
import ApusTesting
import NIOCore
import Testing

@testable import ApusServer

@Suite struct FrameHeadTests {
    private func parse(_ bytes: [UInt8], maxMessage: Int = 1 << 40) -> FrameHead.ParseResult {
        bytes.withUnsafeBytes { FrameHead.parse($0, maxMessage: maxMessage) }
    }

    private static let mask: [UInt8] = [1, 2, 3, 4]
    private static let maskWord = UInt32(littleEndian: 0x0403_0201)

    /// The head of a frame with that length, without its payload.
    private func head(
        _ opcode: UInt8,
        length: Int,
        bits: Int? = nil,
        isFinal: Bool = true,
        reserved: UInt8 = 0,
        isMasked: Bool = true
    ) -> [UInt8] {
        var bytes = [(isFinal ? 0x80 : 0) | reserved << 4 | opcode]
        let flag: UInt8 = isMasked ? 0x80 : 0
        switch bits ?? (length < 126 ? 7 : length < 65_536 ? 16 : 64) {
        case 7: bytes.append(flag | UInt8(length))
        case 16: bytes += [flag | 126, UInt8(length >> 8), UInt8(length & 0xFF)]
        default: bytes += [flag | 127] + (0..<8).reversed().map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) }
        }
        return bytes + (isMasked ? Self.mask : [])
    }

    @Test func `every data frame's head is read, in each of the three forms`() {
        for opcode in [Opcode.continuation, .text, .binary] {
            for (length, size) in [
                (0, 6), (1, 6), (125, 6), (126, 8), (127, 8), (65_535, 8), (65_536, 14), (1 << 32, 14),
            ] {
                for isFinal in [true, false] {
                    let bytes = head(opcode.rawValue, length: length, isFinal: isFinal)
                    let expected = FrameHead(
                        isFinal: isFinal,
                        opcode: opcode,
                        mask: Self.maskWord,
                        size: size,
                        payload: length
                    )
                    #expect(parse(bytes) == .head(expected))
                    #expect(parse(bytes + [0xFF, 0xFF]) == .head(expected))
                }
            }
        }
    }

    @Test func `with compression the first reserved bit may stand at a message's start, and nowhere else`() {
        for reserved: UInt8 in 0...7 {
            for opcode: Opcode in [.continuation, .text, .binary, .close, .ping, .pong] {
                let bytes = head(opcode.rawValue, length: 5, reserved: reserved)
                let result = bytes.withUnsafeBytes {
                    FrameHead.parse($0, maxMessage: 100, mayBeCompressed: true)
                }
                let isCompressed = reserved == 4 && (opcode == .text || opcode == .binary)
                guard reserved == 0 || isCompressed else {
                    #expect(result == .failure(.protocolError))
                    continue
                }
                let expected = FrameHead(
                    isFinal: true,
                    opcode: opcode,
                    mask: Self.maskWord,
                    size: 6,
                    payload: 5,
                    isCompressed: isCompressed
                )
                #expect(result == .head(expected))
                #expect(parse(bytes) == (reserved == 0 ? .head(expected) : .failure(.protocolError)))
            }
        }
    }

    @Test func `a control frame's head is read up to 125 bytes of payload`() {
        for opcode in [Opcode.close, .ping, .pong] {
            for length in 0...125 {
                let expected = FrameHead(isFinal: true, opcode: opcode, mask: Self.maskWord, size: 6, payload: length)
                #expect(parse(head(opcode.rawValue, length: length), maxMessage: 0) == .head(expected))
            }
            for (length, bits) in [(126, 16), (125, 16), (0, 16), (65_536, 64), (1, 64)] {
                #expect(parse(head(opcode.rawValue, length: length, bits: bits)) == .failure(.protocolError))
            }
            #expect(parse(head(opcode.rawValue, length: 0, isFinal: false)) == .failure(.protocolError))
        }
    }

    @Test func `every prefix of a head is incomplete`() {
        for length in [0, 125, 126, 65_535, 65_536, 1 << 40] {
            let bytes = head(Opcode.text.rawValue, length: length)
            for count in 0..<bytes.count { #expect(parse(Array(bytes.prefix(count))) == .incomplete) }
        }
    }

    @Test func `what is wrong is found as soon as the wrong byte is there`() {
        let wrong: [[UInt8]] =
            (1...7).map { head(Opcode.text.rawValue, length: 1, reserved: $0) }
            + [0x3, 0x4, 0x5, 0x6, 0x7, 0xB, 0xC, 0xD, 0xE, 0xF].map { head($0, length: 1) }
            + [head(Opcode.text.rawValue, length: 1, isMasked: false), head(Opcode.ping.rawValue, length: 126)]
        for bytes in wrong {
            #expect(parse(Array(bytes.prefix(1))) == .incomplete)
            for count in 2...bytes.count { #expect(parse(Array(bytes.prefix(count))) == .failure(.protocolError)) }
        }
    }

    @Test(arguments: [
        (0, 16), (125, 16), (0, 64), (125, 64), (126, 64), (65_535, 64),
    ])
    func `a length must be in its shortest form`(length: Int, bits: Int) {
        let bytes = head(Opcode.binary.rawValue, length: length, bits: bits)
        for count in (bits == 16 ? 4 : 10)...bytes.count {
            #expect(parse(Array(bytes.prefix(count))) == .failure(.protocolError))
        }
    }

    @Test func `a length with its highest bit set is no length`() {
        let bytes: [UInt8] = [0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0] + Self.mask
        #expect(parse(bytes, maxMessage: .max) == .failure(.protocolError))
        let largest: [UInt8] = [0x82, 0xFF, 0x7F] + Array(repeating: 0xFF, count: 7) + Self.mask
        #expect(parse(largest, maxMessage: .max) != .failure(.protocolError))
        #expect(parse(largest) == .failure(.messageTooBig))
    }

    @Test(arguments: [0, 1, 125, 126, 65_535, 65_536, 1_000_000])
    func `a message too big is refused by its head alone`(limit: Int) {
        for opcode in [Opcode.continuation, .text, .binary] {
            guard case .head = parse(head(opcode.rawValue, length: limit), maxMessage: limit) else {
                Issue.record("\(limit) bytes are refused")
                continue
            }
            let tooBig = head(opcode.rawValue, length: limit + 1).dropLast(4)
            #expect(parse(Array(tooBig), maxMessage: limit) == .failure(.messageTooBig))
        }
    }
}

@Suite struct ServerFrameEndTests {
    private func end(behind position: Int, in bytes: [UInt8]) -> Int {
        bytes.withUnsafeBytes { FrameHead.endOfServerFrame(behind: position, in: $0) }
    }

    @Test func `every byte of a frame leads to its end, whatever its size and place`() {
        for size in [0, 1, 125, 126, 127, 300, 65_535, 65_536, 70_000] {
            let before = Array(ServerFrame.text("x", size: 200).readableBytesView)
            let frame = Array(ServerFrame.text("", size: size).readableBytesView)
            let after = Array(ServerFrame.text("y").readableBytesView)
            let bytes = before + frame + after
            let positions = frame.count < 1000 ? Array(0..<frame.count) : [0, 1, 2, 9, 10, 500, frame.count - 1]
            for position in positions {
                #expect(end(behind: before.count + position, in: bytes) == before.count + frame.count)
            }
            // The first byte of the next frame belongs to that.
            #expect(end(behind: before.count + frame.count, in: bytes) == bytes.count)
        }
    }

    @Test func `random frames in a row are told apart`() {
        var generator = SeededGenerator(seed: 8)
        for _ in 0..<50 {
            var bytes: [UInt8] = []
            var ends: [Int] = []
            for _ in 0..<Int.random(in: 1...20, using: &generator) {
                let size = Int.random(in: generator.chance(5) ? 65_000...66_000 : 0...300, using: &generator)
                bytes += Array(ServerFrame.text("", size: size).readableBytesView)
                ends.append(bytes.count)
            }
            for _ in 0..<100 {
                let position = Int.random(in: bytes.indices, using: &generator)
                #expect(end(behind: position, in: bytes) == ends.first { $0 > position })
            }
        }
    }

    @Test func `control frames and close frames are frames like others`() {
        let bytes: [UInt8] = [0x89, 0] + [0x8A, 2, 1, 2] + [0x88, 2, 3, 0xE9]
        #expect((0..<10).map { end(behind: $0, in: bytes) } == [2, 2, 6, 6, 6, 6, 10, 10, 10, 10])
    }
}

@Suite struct UnmaskTests {
    @Test func `every length and alignment is unmasked as the RFC says it byte by byte`() {
        var generator = SeededGenerator(seed: 1)
        for length in 0...70 {
            for offset in 0..<9 {
                let source = (0..<(length + offset)).map { _ in UInt8.random(in: 0...255, using: &generator) }
                let mask = (0..<4).map { _ in UInt8.random(in: 0...255, using: &generator) }
                let expected = (0..<length).map { source[offset + $0] ^ mask[$0 % 4] }
                var target = [UInt8](repeating: 0xA5, count: length + offset + 8)
                let isASCII = source.withUnsafeBytes { bytes in
                    target.withUnsafeMutableBytes { target in
                        guard let base = target.baseAddress else { return false }
                        let word = mask.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
                        return unmask(
                            UnsafeRawBufferPointer(rebasing: bytes[offset...]),
                            mask: word,
                            to: base + offset
                        )
                    }
                }
                #expect(Array(target[offset..<offset + length]) == expected, "\(length) bytes at \(offset)")
                #expect(isASCII == expected.allSatisfy { $0 < 0x80 })
                #expect(target[..<offset].allSatisfy { $0 == 0xA5 })
                #expect(target[(offset + length)...].allSatisfy { $0 == 0xA5 })
            }
        }
    }

    @Test func `a payload is unmasked where it is`() {
        let mask: [UInt8] = [0x11, 0x82, 0x43, 0xF4]
        for length in 0...100 {
            let plain = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            var bytes = plain.indices.map { plain[$0] ^ mask[$0 % 4] }
            let isASCII = bytes.withUnsafeMutableBytes { bytes in
                let word = mask.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
                return bytes.baseAddress.map { unmask(UnsafeRawBufferPointer(bytes), mask: word, to: $0) } ?? true
            }
            #expect(bytes == plain)
            #expect(isASCII == plain.allSatisfy { $0 < 0x80 })
        }
    }

    @Test func `one byte that is not ASCII is seen wherever it stands`() {
        for length in 1...40 {
            for position in 0..<length {
                var source = [UInt8](repeating: 0x41, count: length)
                source[position] = 0x80
                var target = [UInt8](repeating: 0, count: length)
                let isASCII = source.withUnsafeBytes { bytes in
                    target.withUnsafeMutableBytes { target in
                        target.baseAddress.map { unmask(bytes, mask: 0, to: $0) }
                    }
                }
                #expect(isASCII == false)
            }
        }
    }
}
