import NIOCore
import Testing

@testable import ApusBroker
@testable import ApusProtocol

@Suite struct CompressionStormTests {
    @Test func `of loops that come at once one compresses, and all get the same`() async throws {
        for _ in 0..<50 {
            var log = TopicLog(
                template: EventTemplate(topic: "t"),
                limits: TopicLog.Limits(history: 10, bytes: 1 << 20)
            )
            for number in 0..<10 {
                var message = #"{"n":\#(number),"text":"\#(String(repeating: "apus ", count: 200))"}"#
                _ = message.withUTF8 {
                    log.append(UnsafeRawBufferPointer($0), time: Timestamp(milliseconds: 0), origin: 0)
                }
            }
            log.seal()
            let batch = try #require(log.newest)
            let results = await withTaskGroup(of: (ByteBuffer, UInt64).self) { group in
                for index in 0..<8 {
                    group.addTask {
                        let deflation = Deflation(MessageCompressor.Settings())
                        let encoding = EventEncoding(
                            .base,
                            .positioned,
                            framing: index < 4 ? .deflated : .deflatedNarrow
                        )
                        let frames = batch.deflatedFrames(from: 1, in: encoding, keeps: true, by: deflation)
                        return (frames.bytes, deflation.compressor.counters.messages)
                    }
                    if index == 6 { batch.dropOtherEncodings() }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(Set(results.map { Array($0.0.readableBytesView) }).count == 2)
            // Once for each window, and once more for who came after they were dropped.
            #expect((20...40).contains(results.reduce(0) { $0 + $1.1 }))
        }
    }
}
