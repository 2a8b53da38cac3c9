import ApusBroker
import ApusProtocol
import NIOCore
import Testing

@testable import ApusJournal

/// Packs as a stream has them, whoever has written them.
@Suite struct BatchPackTests {
    private let topic: Topic
    private let pack: BatchPack

    init() throws {
        topic = try MemoryBroker().createTopic(named: "t")
        let messages = (1...3).map { number in
            KeptMessage(
                offset: UInt64(number),
                message: Array(#"{"id":"id\#(number)","payload":\#(number)}"#.utf8),
                key: number == 2 ? Array(#""k""#.utf8) : nil,
                time: 1000 + Int64(number)
            )
        }
        let record = BatchRecord(messages, ids: [(1, "id1"), (3, "id3")], template: topic.template)
        let (batch, ids) = try #require(record.batch(template: topic.template, lead: 0))
        pack = BatchPack([batch], ids: ids)
    }

    private func read(_ body: ByteBuffer) -> [BatchRecord]? {
        guard let read = BatchPack(body: body, count: 3, time: 1003) else { return nil }
        return read.batches(topic.template, from: 7, lead: 0)?.0.map { BatchRecord($0, ids: []) }
    }

    @Test func `a pack is read as it was written, at the place that it has got`() throws {
        let again = try #require(BatchPack(body: pack.body, count: 3, time: 1003))
        #expect(again.ids.map(\.index) == [0, 2] && again.ids.map(\.id) == ["id1", "id3"])
        let (batches, ids) = try #require(again.batches(topic.template, from: 7, lead: 0))
        #expect(batches.map(\.first) == [7] && batches.map(\.count) == [3])
        #expect(ids.map(\.offset) == [7, 9])
        #expect(pack.bytes == pack.body.readableBytes)
    }

    @Test func `some messages can be left out, with their ids and keys`() throws {
        var rest = pack
        rest.remove([0])
        #expect(rest.count == 2)
        #expect(rest.ids.map(\.index) == [1] && rest.ids.map(\.id) == ["id3"])
        let again = try #require(BatchPack(body: rest.body, count: 2, time: 1003))
        let (batches, _) = try #require(again.batches(topic.template, from: 1, lead: 0))
        let messages = try #require(BatchRecord(batches[0], ids: []).messages(of: topic.template))
        #expect(messages.map(\.key) == [Array(#""k""#.utf8), nil])
        rest.remove([0, 1])
        #expect(rest.count == 0)
    }

    @Test func `no changed byte makes it a pack with other frames, and none crashes`() throws {
        let frames = try #require(read(pack.body)).map(\.frames)
        let body = pack.body
        var accepted = 0
        for place in 0..<body.readableBytes {
            for bit in 0..<8 {
                var changed = body
                let byte = try #require(body.getInteger(at: body.readerIndex + place, as: UInt8.self))
                changed.setInteger(byte ^ 1 << bit, at: changed.readerIndex + place)
                guard let records = read(changed) else { continue }
                accepted += 1
                for record in records {
                    // Whatever a reader does with it: each frame is an event of the topic.
                    let (batch, _) = try #require(record.batch(template: topic.template, lead: 0))
                    for offset in batch.first..<batch.end { _ = batch.time(at: offset) }
                }
            }
        }
        #expect(frames.count == 1)
        // What the message and the time say is not looked at.
        #expect(accepted > 0)
        for length in 0..<body.readableBytes {
            #expect(read(try #require(body.getSlice(at: body.readerIndex, length: length))) == nil)
        }
    }
}
