import Foundation

@testable import ApusStore

/// A folder that a server has left: topics 1 and 2 of disk and os, 3 of memory, and records of each in several
/// segments.
struct StoredFolder {
    let parent: TemporaryFolder
    private let name: String
    var path: String { parent.file(name) }

    /// One that is there.
    init(parent: TemporaryFolder, name: String) {
        self.parent = parent
        self.name = name
    }

    init(_ count: UInt64 = 12, isClosed: Bool = true) throws {
        self.init(parent: try TemporaryFolder(), name: "data")
        let folder = try DataFolder(path)
        let catalog = try folder.openCatalog()
        let recovered = try folder.recover(catalog)
        try catalog.apply([
            .create(Self.topic(1)), .create(Self.topic(2, .os)), .create(Self.topic(3, .memory)),
        ])
        var writer = SegmentWriter(
            folder.segments,
            number: recovered.nextSegment,
            after: recovered.commit,
            segmentSize: 1600
        )
        for number in 0..<count {
            let offsets = number * 10 + 1..<number * 10 + 11
            _ = try writer.append((1...3).map { Self.entry($0, offsets) }, isKept: true)
        }
        if isClosed { try writer.finish() }
    }

    static func topic(_ number: UInt32, _ durability: StoredDurability = .disk) -> Catalog.Topic {
        let name = Array("t\(number)".utf8)
        return Catalog.Topic(number: number, name: name, epoch: "e", durability: durability, settings: "{}", created: 0)
    }

    /// With contents that do not need all of the room that aligns records.
    static func entry(_ topic: UInt32, _ offsets: Range<UInt64>) -> (batch: RecordHead.Batch, contents: [UInt8]) {
        let batch = RecordHead.Batch(
            topic: topic,
            first: offsets.lowerBound,
            count: UInt32(offsets.count),
            newestTime: Int64(offsets.lowerBound),
            detailsSize: 0,
            marksSize: 0,
            framesSize: 99
        )
        return (batch, [UInt8](repeating: UInt8(topic), count: 99))
    }

    /// Which of the commits, from 0 on, has the record of a topic that a byte of a segment is in.
    static func commit(at place: Int, of file: String, topic: Int) -> Int? {
        guard file.hasSuffix(".seg"), let segment = Int(file.dropLast(4).suffix(10)), place >= SegmentHead.size else {
            return nil
        }
        let size = RecordHead.padded(RecordHead.size + 99)
        let (record, byte) = (place - SegmentHead.size).quotientAndRemainder(dividingBy: size)
        // What is behind nine records is only room.
        guard record < 9, record % 3 == topic - 1, byte < RecordHead.size + 99 else { return nil }
        return (segment - 1) * 3 + record / 3
    }

    func apply(_ changes: [Catalog.Change]) throws {
        let catalog = try DataFolder(path).openCatalog()
        try catalog.apply(changes)
        try catalog.close()
    }

    func survey() throws(DataFolderError) -> FolderSurvey { try FolderSurvey(FolderView(path)) }

    /// Why a start would refuse the folder.
    func refusal() -> DataFolderError? {
        do throws(DataFolderError) {
            let folder = try DataFolder(path)
            _ = try folder.recover(folder.openCatalog())
            return nil
        } catch {
            return error
        }
    }

    /// The offsets of a topic that a start finds.
    func offsets(of topic: UInt32) throws -> [UInt64] {
        let folder = try DataFolder(path)
        let recovered = try folder.recover(folder.openCatalog())
        return recovered.table.records(of: topic).flatMap { Array($0.first..<$0.end) }
    }

    func change(_ name: String, _ body: (inout [UInt8]) -> Void) throws {
        var bytes = try parent.read("\(self.name)/\(name)")
        body(&bytes)
        try parent.write(bytes, to: "\(self.name)/\(name)")
    }

    func segmentNames() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "\(path)/segments").filter { $0.hasSuffix(".seg") }.sorted()
    }
}
