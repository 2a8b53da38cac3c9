import ApusProtocol
import Testing

@Suite struct UTF8ValidatorTests {
    private func isValid(_ bytes: [UInt8], splitAt split: Int = 0) -> Bool {
        var validator = UTF8Validator()
        let parts = [bytes[..<split], bytes[split...]]
        return parts.allSatisfy { part in Array(part).withUnsafeBytes { validator.consume($0) } }
            && validator.isComplete
    }

    @Test func `every scalar is taken, and every cut of it`() {
        for value in UInt32(0)...0x10FFFF where value < 0x900 || value % 251 == 0 || value & 0xFFF > 0xFFD {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let bytes = Array(String(scalar).utf8)
            for split in 0...bytes.count {
                #expect(isValid(bytes, splitAt: split), "U+\(String(value, radix: 16)) cut at \(split)")
            }
            for length in 1..<bytes.count where bytes.count > 1 {
                #expect(!isValid(Array(bytes[..<length])), "the first \(length) bytes of U+\(String(value, radix: 16))")
            }
        }
    }

    @Test func `short sequences of telling bytes are judged like the standard library does`() {
        let interesting: [UInt8] = [
            0x00, 0x22, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE,
            0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF7, 0xF8, 0xFE, 0xFF,
        ]
        var mismatches: [[UInt8]] = []
        func judge(_ bytes: [UInt8]) {
            if isValid(bytes) != (String(validating: bytes, as: UTF8.self) != nil) { mismatches.append(bytes) }
        }
        for first in UInt8.min...UInt8.max {
            judge([first])
            for second in UInt8.min...UInt8.max where second % 5 == 0 || interesting.contains(second) {
                judge([first, second])
            }
        }
        for first in interesting where first > 0x7F {
            for second in interesting {
                for third in interesting {
                    judge([first, second, third])
                    if first >= 0xF0 { judge([first, second, third, 0x80]) }
                }
            }
        }
        #expect(mismatches.isEmpty)
    }

    @Test(arguments: 0..<4)
    func `random text is judged like the standard library does, however it is cut`(seed: Int) {
        var generator = SplitMix64(seed: UInt64(seed))
        let pieces: [[UInt8]] = [
            Array("plain ascii text ".utf8), Array("é".utf8), Array("€".utf8), Array("😀".utf8), [0x80], [0xE2, 0x82],
            [0xED, 0xA0, 0x80], [0xC0, 0xAF], [0xF4, 0x90, 0x80, 0x80], [0xFF], Array("x".utf8), Array("12345678".utf8),
        ]
        var valid = 0
        for round in 0..<300 {
            // Mostly good pieces, so that about half of the texts are valid.
            let bytes = (0..<Int.random(in: 0...8, using: &generator)).flatMap { _ in
                let isGood = Int.random(in: 0..<10, using: &generator) > 0
                return pieces[
                    isGood
                        ? [0, 1, 2, 3, 10, 11].randomElement(using: &generator) ?? 0
                        : Int.random(in: pieces.indices, using: &generator)
                ]
            }
            let expected = String(validating: bytes, as: UTF8.self) != nil
            valid += expected ? 1 : 0
            for split in 0...bytes.count {
                #expect(
                    isValid(bytes, splitAt: split) == expected,
                    "seed \(seed), round \(round), cut at \(split): \(bytes)"
                )
            }
        }
        #expect(valid > 50 && valid < 290)
    }

    @Test(
        arguments: [
            ([0xC0], 1), ([0xE0, 0x9F], 2), ([0xED, 0xA0], 2), ([0xF0, 0x8F], 2), ([0xF4, 0x90], 2), ([0xF5], 1),
            ([0x61, 0xE2, 0x82, 0x41], 4), ([0x80], 1),
        ] as [([UInt8], Int)]
    )
    func `text is refused at the byte that makes it hopeless, and stays refused`(bytes: [UInt8], at length: Int) {
        var validator = UTF8Validator()
        for (index, byte) in bytes.enumerated() {
            let accepted = [byte].withUnsafeBytes { validator.consume($0) }
            #expect(accepted == (index + 1 < length))
        }
        #expect(!validator.isComplete)
        for more in [[0x41], []] as [[UInt8]] {
            let accepted = more.withUnsafeBytes { validator.consume($0) }
            #expect(!accepted)
        }
    }

    @Test func `an unfinished sequence is not complete, and nothing is`() {
        var validator = UTF8Validator()
        #expect(validator.isComplete)
        for (bytes, isComplete) in [([], true), ([0xF0, 0x9F], false), ([], false), ([0x98, 0x80], true)]
            as [([UInt8], Bool)]
        {
            let accepted = bytes.withUnsafeBytes { validator.consume($0) }
            #expect(accepted && validator.isComplete == isComplete)
        }
    }
}
