import ApusProtocol
import ApusTesting
import NIOCore
import Testing

@testable import ApusBroker

@Suite struct TopicLogTests {
    private static let time = Timestamp(milliseconds: 1_756_116_000_123)

    private func log(history: Int = 100, bytes: Int = 1 << 30) -> TopicLog {
        TopicLog(template: EventTemplate(topic: "t"), limits: TopicLog.Limits(history: history, bytes: bytes))
    }

    private func message(_ number: Int, padding: Int = 0) -> String {
        "{\"n\":\(number)\(String(repeating: " ", count: padding))}"
    }

    @discardableResult
    private func append(_ number: Int, padding: Int = 0, to log: inout TopicLog) -> Offset {
        var text = message(number, padding: padding)
        return text.withUTF8 { log.append(UnsafeRawBufferPointer($0), time: Self.time, origin: 0) }
    }

    private func messages(of batch: Batch?, from offset: Offset, in dialect: Dialect = .base) -> [String]? {
        guard let batch else { return nil }
        let slice = batch.slice(from: offset, in: EventEncoding(dialect), keeps: true)
        return EventFrame.decode(slice, dialect: dialect)?.map(\.message)
    }

    @Test func `offsets count up from 1`() {
        var log = log()
        #expect(log.head == 1 && log.firstKept == 1 && log.firstOfHistory(now: 0) == 1)
        #expect(log.newest == nil && log.bytes == 0)
        #expect((1...10).allSatisfy { append($0, to: &log) == Offset($0) })
        #expect(log.head == 11)
    }

    @Test func `what is open cannot be read until it is sealed`() {
        var log = log()
        append(1, to: &log)
        #expect(log.batch(at: 1) == nil && log.newest == nil)
        log.seal()
        #expect(messages(of: log.batch(at: 1), from: 1) == ["{\"n\":1}"])
        #expect(log.newest === log.batch(at: 1))
        log.seal()
        #expect(log.batch(at: 2) == nil)
    }

    @Test func `a batch is sealed before it has more than 64 KiB`() {
        var log = log()
        let size = log.template.frameSize(message: message(1, padding: 1000).utf8.count)
        let full = TopicLog.batchBytes / size
        for _ in 1...full { append(1, padding: 1000, to: &log) }
        #expect(log.newest == nil)
        #expect(log.bytes == full * size)
        append(1, padding: 1000, to: &log)
        #expect(log.newest?.count == full)
        #expect(log.bytes == (full + 1) * size)
        append(1, to: &log)
        #expect(log.newest?.count == full)
        log.seal()
        #expect(log.newest?.first == Offset(full) + 1 && log.newest?.count == 2)
    }

    @Test func `a publication that alone has more than 64 KiB is sealed at once`() {
        var log = log()
        append(1, to: &log)
        append(2, padding: TopicLog.batchBytes, to: &log)
        #expect(log.sealed.map(\.count) == [1, 1])
    }

    @Test func `every offset is found by bisection, whatever the batches' sizes`() {
        var log = log()
        var generator = SeededGenerator(seed: 7)
        for number in 1...500 {
            append(number, to: &log)
            if generator.chance(20) { log.seal() }
        }
        log.seal()
        for offset in Offset(1)...500 {
            let batch = log.batch(at: offset)
            #expect(batch.map { $0.first <= offset && offset < $0.end } == true)
            #expect(messages(of: batch, from: offset)?.first == message(Int(offset)))
        }
        #expect(log.batch(at: 0) == nil && log.batch(at: 501) == nil && log.batch(at: .max) == nil)
    }

    @Test func `a slice from the midst of a batch has the rest of it, in both dialects`() throws {
        var log = log()
        for number in 1...20 { append(number, padding: number * 17, to: &log) }
        log.seal()
        let batch = try #require(log.newest)
        for dialect in Dialect.allCases {
            for offset in Offset(1)...20 {
                let expected = (Int(offset)...20).map { message($0, padding: $0 * 17) }
                #expect(messages(of: batch, from: offset, in: dialect) == expected)
            }
        }
    }

    @Test func `frames of the v1 dialect are those that would have been encoded for it`() {
        // Around the sizes where the header grows, in one dialect before the other.
        let sizes = Array(0...200) + Array(65_400...65_560) + [100_000]
        for size in sizes {
            var log = log()
            append(1, padding: size, to: &log)
            log.seal()
            let message = message(1, padding: size)
            let payload =
                #"{"type":"event","topic":"t","message":\#(message),"timestamp":"2025-08-25T10:00:00.123Z"}"#
            var expected = ByteBuffer()
            FrameFixture.write(payload, to: &expected)
            #expect(
                log.newest?.slice(from: 1, in: .v1, keeps: true) == expected,
                "a message of \(message.utf8.count) bytes"
            )
        }
    }

    @Test func `a frame of the base dialect is the contract's, byte for byte`() {
        var log = log()
        append(1, to: &log)
        log.seal()
        var expected = ByteBuffer()
        FrameFixture.write(
            #"{"type":"event","topic":"t","message":{"n":1},"ts":"2025-08-25T10:00:00.123Z"}"#,
            to: &expected
        )
        #expect(log.newest?.slice(from: 1, in: .base, keeps: true) == expected)
    }
}

enum FrameFixture {
    /// A text frame as the RFC has it, written here once more so that the product's writer is not its own judge.
    static func write(_ payload: String, to buffer: inout ByteBuffer) {
        let size = payload.utf8.count
        buffer.writeInteger(UInt8(0x81))
        if size < 126 {
            buffer.writeInteger(UInt8(size))
        } else if size < 65_536 {
            buffer.writeInteger(UInt8(126))
            buffer.writeInteger(UInt16(size))
        } else {
            buffer.writeInteger(UInt8(127))
            buffer.writeInteger(UInt64(size))
        }
        buffer.writeString(payload)
    }
}
