import NIOCore
import Testing

@testable import ApusProtocol

@Suite struct MessageCompressorTests {
    private func frame(
        _ message: some Sequence<UInt8>,
        by compressor: MessageCompressor,
        window: DeflateWindow = .usual
    )
        -> (bytes: [UInt8], isCompressed: Bool)
    {
        var buffer = ByteBuffer(string: "x")
        let isCompressed = Array(message).withUnsafeBytes { compressor.append($0, for: window, to: &buffer) }
        buffer.moveReaderIndex(forwardBy: 1)
        return (Array(buffer.readableBytesView), isCompressed)
    }

    /// The payload of the one frame.
    private func payload(_ frame: [UInt8]) -> [UInt8] {
        Array(frame.dropFirst(FrameHeader.size(ofFrame: frame.count)))
    }

    private func inflate(_ bytes: [UInt8]) throws -> [UInt8] {
        try bytes.withUnsafeBytes { try Inflater().withInflated($0, limit: 1 << 24) { Array($0) } }
    }

    private static let json = Array(
        #"{"type":"event","items":[\#(String(repeating: #"{"n":1.5},"#, count: 100))null]}"#.utf8
    )

    @Test func `a message is one compressed text frame without the flush's tail`() throws {
        let (bytes, isCompressed) = frame(Self.json, by: MessageCompressor(.init()))
        #expect(isCompressed && bytes[0] == 0xC1 && bytes.count < 100)
        #expect(Int(bytes[1]) == bytes.count - 2)
        #expect(Array(bytes.suffix(4)) != [0x00, 0x00, 0xFF, 0xFF])
        #expect(try inflate(payload(bytes)) == Self.json)
    }

    @Test func `a message is the same bytes whatever came before it`() {
        let compressor = MessageCompressor(.init(minimumSize: 0))
        let first = frame(Self.json, by: compressor).bytes
        _ = frame((0..<70_000).map { UInt8(truncatingIfNeeded: $0) }, by: compressor)
        _ = frame(Self.json, by: compressor, window: .narrow)
        #expect(frame(Self.json, by: compressor).bytes == first)
        #expect(frame(Self.json, by: MessageCompressor(.init(minimumSize: 0))).bytes == first)
    }

    @Test func `what is too small, or gets no smaller, goes as it is`() {
        let small = MessageCompressor(.init(minimumSize: Self.json.count + 1))
        let (bytes, isCompressed) = frame(Self.json, by: small)
        #expect(!isCompressed && bytes[0] == 0x81 && payload(bytes) == Self.json)
        #expect(frame(Self.json, by: MessageCompressor(.init(minimumSize: Self.json.count))).isCompressed)
        let all = MessageCompressor(.init(minimumSize: 0))
        for size in [0, 1, 4, 100, 1000, 70_000] {
            let noise = (0..<size).map { _ in UInt8.random(in: 0...255) }
            let (bytes, isCompressed) = frame(noise, by: all)
            #expect(!isCompressed && bytes[0] == 0x81 && payload(bytes) == noise)
        }
        #expect(all.counters == .init() && small.counters == .init())
    }

    @Test func `what must be compressed is, even if it gets larger`() throws {
        let compressor = MessageCompressor(.init())
        for size in [0, 1, 4, 100, 1000, 70_000, 1_000_000] {
            let noise = (0..<size).map { _ in UInt8.random(in: 0...255) }
            for window in [DeflateWindow.usual, .narrow] {
                var buffer = ByteBuffer()
                let isCompressed = noise.withUnsafeBytes {
                    compressor.append($0, as: .binary, for: window, always: true, to: &buffer)
                }
                let bytes = Array(buffer.readableBytesView)
                #expect(isCompressed && bytes[0] == 0xC2)
                #expect(try inflate(payload(bytes)) == noise)
            }
        }
    }

    @Test func `sizes are counted`() {
        let compressor = MessageCompressor(.init())
        let sizes = (0..<3).map { _ in payload(frame(Self.json, by: compressor).bytes).count }
        #expect(compressor.counters.messages == 3)
        #expect(compressor.counters.input == UInt64(3 * Self.json.count))
        #expect(compressor.counters.output == UInt64(sizes.reduce(0, +)))
    }

    @Test(arguments: [125, 126, 65_535, 65_536, 300_000])
    func `a frame's length has its form for each size`(size: Int) throws {
        // Digits without a pattern take about four bits each.
        let digits = (0..<(size * 2)).map { _ in UInt8.random(in: 0x30...0x39) }
        let compressor = MessageCompressor(.init(minimumSize: 0, level: 1))
        for count in stride(from: size, through: size * 2, by: max(size / 4, 1)) {
            let message = digits.prefix(count)
            let bytes = frame(message, by: compressor).bytes
            #expect(bytes[0] == 0xC1)
            #expect(try inflate(payload(bytes)) == Array(message))
        }
    }

    @Test func `nothing for a narrow window lies more than 256 bytes back`() throws {
        var generator = SystemRandomNumberGenerator()
        let compressor = MessageCompressor(.init(minimumSize: 0, level: 9))
        let words = ["orders", "customer", #"{"price":"#, "4711", "0000000000000000", "\"},{\""]
        for round in 0..<300 {
            var message = (0..<Int.random(in: 1...400, using: &generator)).flatMap { _ in
                Array((words.randomElement(using: &generator) ?? "").utf8)
            }
            // Something to find again just at the edge.
            if round % 3 == 0 {
                let piece = message.prefix(40)
                message =
                    piece + (0..<Int.random(in: 200...300, using: &generator)).map { _ in .random(in: 0...255) } + piece
            }
            let (bytes, isCompressed) = frame(message, by: compressor, window: .narrow)
            guard isCompressed else { continue }
            #expect(try DistanceReader.largestDistance(in: payload(bytes)) <= 256)
            #expect(try inflate(payload(bytes)) == message)
        }
    }
}
