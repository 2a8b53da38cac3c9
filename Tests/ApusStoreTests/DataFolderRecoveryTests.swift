import Foundation
import GRDB
import Testing

@testable import ApusStore

@Suite("A start with a data folder")
struct DataFolderRecoveryTests {
    private let parent: TemporaryFolder
    private var path: String { parent.file("data") }

    init() throws { parent = try TemporaryFolder() }

    private func topic(_ number: UInt32, _ durability: StoredDurability = .disk) -> Catalog.Topic {
        Catalog.Topic(
            number: number,
            name: Array("t\(number)".utf8),
            epoch: "e",
            durability: durability,
            settings: "{}",
            created: 0
        )
    }

    private func entry(_ topic: UInt32, _ offsets: Range<UInt64>) -> (batch: RecordHead.Batch, contents: [UInt8]) {
        let batch = RecordHead.Batch(
            topic: topic,
            first: offsets.lowerBound,
            count: UInt32(offsets.count),
            newestTime: 0,
            detailsSize: 0,
            marksSize: 0,
            framesSize: 100
        )
        return (batch, [UInt8](repeating: 1, count: 100))
    }

    /// A server's life: topics 1 to 3, of which 3 is one of memory, and a number of records of each.
    private func write(_ count: UInt64 = 6) throws {
        let folder = try DataFolder(path)
        let catalog = try folder.openCatalog()
        let recovered = try folder.recover(catalog)
        try catalog.apply([.create(topic(1)), .create(topic(2, .os)), .create(topic(3, .memory))])
        var writer = SegmentWriter(
            folder.segments,
            number: recovered.nextSegment,
            after: recovered.commit,
            segmentSize: 1000
        )
        for number in 0..<count {
            let offsets = number * 10 + 1..<number * 10 + 11
            _ = try writer.append((1...3).map { entry($0, offsets) }, isKept: true)
        }
        try writer.finish()
    }

    private func failure() -> DataFolderError? {
        do throws(DataFolderError) {
            let folder = try DataFolder(path)
            _ = try folder.recover(folder.openCatalog())
            return nil
        } catch {
            return error
        }
    }

    @Test func `finds what was written, and nothing of topics of memory`() throws {
        try write()
        let folder = try DataFolder(path)
        let recovered = try folder.recover(folder.openCatalog())
        #expect(recovered.catalog.topics.map(\.number) == [1, 2, 3])
        #expect((1...3).map { recovered.table.records(of: $0).count } == [6, 6, 0])
        #expect(recovered.commit == 6)
        let reader = SegmentReader(folder.segments)
        for record in recovered.table.records(of: 2) {
            #expect(try reader.bytes(of: record, of: 2).suffix(100) == entry(2, 1..<2).contents[...])
        }
    }

    @Test func `leaves out what is before the offset from which on a topic is kept, and topics that are gone`() throws {
        try write()
        let folder = try DataFolder(path)
        let catalog = try folder.openCatalog()
        try catalog.apply([.keep(topic: 1, from: 31), .delete(topic: 2)])
        let recovered = try folder.recover(catalog)
        #expect(recovered.table.records(of: 1).map(\.first) == [31, 41, 51])
        #expect(recovered.table.records(of: 2).isEmpty)
    }

    @Test func `leaves out what is before a gap`() throws {
        try write(12)
        let folder = try DataFolder(path)
        let catalog = try folder.openCatalog()
        try catalog.apply([.giveUp(segment: 2)])
        let recovered = try folder.recover(catalog)
        let firsts = recovered.table.records(of: 1).map(\.first)
        #expect(firsts.last == 111 && firsts.first != 1 && firsts.count > 3)
        #expect(zip(firsts, firsts.dropFirst()).allSatisfy { $0 + 10 == $1 })
        #expect(try folder.segments.names().allSatisfy { !$0.hasPrefix("0000000002") })
        #expect(recovered.table.unwanted.contains(1))
    }

    @Test func `says which segment is missing, all of them too`() throws {
        try write()
        try FileManager.default.removeItem(atPath: "\(path)/segments/0000000001.seg")
        #expect(failure()?.description == "\(path)/segments/0000000001.seg is damaged: it is missing")
        try FileManager.default.removeItem(atPath: "\(path)/segments")
        #expect(failure()?.description == "\(path)/segments/0000000001.seg is damaged: it is missing")
        #expect(failure()?.exitCode == 78)
    }

    @Test func `says which topic is missing in a catalog that is older than the messages`() throws {
        do {
            let catalog = try DataFolder(path).openCatalog()
            try catalog.apply([.giveUp(segment: 0)])
        }
        let old = try parent.read("data/catalog.sqlite")
        try FileManager.default.removeItem(atPath: path)
        try write()
        try parent.write(old, to: "data/catalog.sqlite")
        let file = "\(path)/segments/0000000001.seg"
        #expect(
            failure()?.description
                == "\(path)/catalog.sqlite is damaged: topic number 1 is missing, of which \(file) has messages at byte 64"
        )
    }

    @Test func `says where a segment without an index is damaged, with topic and offsets`() throws {
        try write()
        try FileManager.default.removeItem(atPath: "\(path)/segments/0000000001.seg.idx")
        var bytes = try parent.read("data/segments/0000000001.seg")
        bytes[64 + 168 + 70] ^= 1
        try parent.write(bytes, to: "data/segments/0000000001.seg")
        let damage = "is damaged at byte 232, topic 't2', offsets 1 to 10"
        #expect(failure()?.description == "\(path)/segments/0000000001.seg \(damage)")
    }

    @Test func `leaves foreign files alone`() throws {
        try write()
        for name in ["data/notes.txt", "data/segments/notes.txt", "data/segments/1.seg", "data/segments/x.seg.idx"] {
            try parent.write([1], to: name)
        }
        #expect(failure() == nil)
        #expect(try parent.read("data/segments/notes.txt") == [1])
        #expect(try parent.read("data/segments/1.seg") == [1])
    }

    @Test func `says that a newer version wrote a segment`() throws {
        try write()
        var bytes = try parent.read("data/segments/0000000001.seg")
        bytes[8] = 9
        let checksum = bytes.withUnsafeBytes { SegmentHead.checksum($0) }.littleEndian
        bytes.withUnsafeMutableBytes { $0.storeBytes(of: checksum, toByteOffset: 60, as: UInt32.self) }
        try parent.write(bytes, to: "data/segments/0000000001.seg")
        #expect(failure() == .newer(path: "\(path)/segments/0000000001.seg", version: 9))
    }
}
