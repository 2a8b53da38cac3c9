/// Reads DEFLATE data (RFC 1951) as far as is needed to know how far back it refers: a second opinion on what zlib
/// promises.
struct DistanceReader {
    struct Malformed: Error {}

    private let bytes: [UInt8]
    private var position = 0
    private var largest = 0

    private init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// - Parameter message: a message of permessage-deflate, without the flush's tail.
    static func largestDistance(in message: [UInt8]) throws -> Int {
        var reader = DistanceReader(message + [0, 0, 0xff, 0xff])
        while reader.position + 3 <= reader.bytes.count * 8 { try reader.readBlock() }
        return reader.largest
    }

    private mutating func bits(_ count: Int) throws -> Int {
        var value = 0
        for index in 0..<count {
            guard position / 8 < bytes.count else { throw Malformed() }
            value |= Int(bytes[position / 8] >> UInt8(position % 8) & 1) << index
            position += 1
        }
        return value
    }

    private mutating func readBlock() throws {
        _ = try bits(1)
        switch try bits(2) {
        case 0:
            position = (position + 7) / 8 * 8
            let length = try bits(16)
            guard try bits(16) == length ^ 0xFFFF else { throw Malformed() }
            position += length * 8
        case 1:
            let lengths = (0..<288).map { $0 < 144 ? 8 : $0 < 256 ? 9 : $0 < 280 ? 7 : 8 }
            try readSymbols(Huffman(lengths), Huffman([Int](repeating: 5, count: 30)))
        case 2:
            try readDynamicBlock()
        default:
            throw Malformed()
        }
    }

    private mutating func readDynamicBlock() throws {
        let (literals, distances, codes) = (try bits(5) + 257, try bits(5) + 1, try bits(4) + 4)
        let order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
        var codeLengths = [Int](repeating: 0, count: 19)
        for index in 0..<codes { codeLengths[order[index]] = try bits(3) }
        let code = Huffman(codeLengths)
        var lengths: [Int] = []
        while lengths.count < literals + distances {
            switch try symbol(of: code) {
            case 16: lengths += [Int](repeating: lengths.last ?? 0, count: try bits(2) + 3)
            case 17: lengths += [Int](repeating: 0, count: try bits(3) + 3)
            case 18: lengths += [Int](repeating: 0, count: try bits(7) + 11)
            case let length: lengths.append(length)
            }
        }
        try readSymbols(Huffman(Array(lengths.prefix(literals))), Huffman(Array(lengths.dropFirst(literals))))
    }

    private mutating func readSymbols(_ literals: Huffman, _ distances: Huffman) throws {
        let lengthBits = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0]
        while true {
            let literal = try symbol(of: literals)
            if literal < 256 { continue }
            if literal == 256 { return }
            guard literal - 257 < lengthBits.count else { throw Malformed() }
            _ = try bits(lengthBits[literal - 257])
            let code = try symbol(of: distances)
            let extra = max(code / 2 - 1, 0)
            let base = code < 4 ? code + 1 : (2 + code % 2) << extra + 1
            largest = max(largest, base + (try bits(extra)))
        }
    }

    private mutating func symbol(of code: Huffman) throws -> Int {
        var value = 0
        for length in 1...15 {
            value = value << 1 | (try bits(1))
            if let symbol = code.symbols[length][value] { return symbol }
        }
        throw Malformed()
    }

    /// A canonical code: its symbols by length and value (RFC 1951 section 3.2.2).
    private struct Huffman {
        var symbols = [[Int: Int]](repeating: [:], count: 16)

        init(_ lengths: [Int]) {
            var next = 0
            for length in 1...15 {
                for (symbol, own) in lengths.enumerated() where own == length {
                    symbols[length][next] = symbol
                    next += 1
                }
                next <<= 1
            }
        }
    }
}
