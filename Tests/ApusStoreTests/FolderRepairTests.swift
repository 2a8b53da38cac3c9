import ApusTesting
import Foundation
import Testing

@testable import ApusStore

/// What `apus data repair` makes of damage.
@Suite("A repair of a data folder")
struct FolderRepairTests {
    /// Repairs it, and returns what it said.
    private func repair(_ folder: StoredFolder, renewsAll: Bool = false) throws -> [String] {
        let repair = try FolderRepair(folder.path, renewsAll: renewsAll, makeEpoch: { "new" })
        let before = try folder.segmentNames()
        #expect(try folder.segmentNames() == before)
        if !repair.lines.isEmpty { _ = try repair.run() }
        return repair.lines
    }

    private func topics(_ folder: StoredFolder) throws -> [Catalog.Topic] {
        try FolderView(folder.path).catalog().topics
    }

    private func expectSound(_ folder: StoredFolder, _ comment: Comment) throws {
        #expect(folder.refusal() == nil, comment)
        #expect(try folder.survey().failures == [], comment)
    }

    @Test func `does nothing where nothing is damaged`() throws {
        for isClosed in [true, false] {
            let folder = try StoredFolder(isClosed: isClosed)
            #expect(try repair(folder) == [])
            #expect(try folder.offsets(of: 1) == Array(1...120))
        }
    }

    @Test func `leaves out a record, and of its topic what is before it`() throws {
        let folder = try StoredFolder()
        try folder.change("segments/0000000002.seg") { $0[64 + 168 + 70] ^= 1 }
        let lines = try repair(folder)
        let file = "\(folder.path)/segments/0000000002.seg"
        #expect(
            lines == [
                "\(file) at byte 232: topic 't2', offsets 31 to 40 are lost",
                "topic 't2': what is left before the gap, from offset 1 on, goes too: it keeps 41 and later",
            ]
        )
        try expectSound(folder, "")
        #expect(try folder.offsets(of: 1) == Array(1...120))
        #expect(try folder.offsets(of: 2) == Array(41...120))
        #expect(try topics(folder).map(\.epoch) == ["e", "e", "e"])
        let aside = try #require(
            try FileManager.default.contentsOfDirectory(atPath: folder.path).first { $0.hasPrefix("damaged-") }
        )
        #expect(FileManager.default.fileExists(atPath: "\(folder.path)/\(aside)/0000000002.seg"))
    }

    @Test func `gives a topic that lost its last messages a new epoch`() throws {
        let folder = try StoredFolder()
        let newest = try #require(try folder.segmentNames().dropLast().last)
        try folder.change("segments/\(newest)") { $0[64 + 2 * 504 + 70] ^= 1 }
        let lines = try repair(folder)
        #expect(lines.last == "topic 't1' gets a new epoch, as its last messages are lost")
        try expectSound(folder, "")
        #expect(try folder.offsets(of: 1) == Array(1...110))
        #expect(try folder.offsets(of: 2) == Array(1...120))
        #expect(try topics(folder).map(\.epoch) == ["new", "e", "e"])
    }

    @Test func `where it is not known what is lost, all topics get new epochs`() throws {
        let folder = try StoredFolder()
        try FileManager.default.removeItem(atPath: "\(folder.path)/segments/0000000002.seg")
        try FileManager.default.removeItem(atPath: "\(folder.path)/segments/0000000002.seg.idx")
        let lines = try repair(folder)
        #expect(lines.first == "\(folder.path)/segments/0000000002.seg is missing, with all that was in it")
        try expectSound(folder, "")
        #expect(try folder.offsets(of: 1) == Array(61...120))
        #expect(try topics(folder).map(\.epoch) == ["new", "new", "e"])
    }

    @Test func `all topics get new epochs where that is wanted`() throws {
        let folder = try StoredFolder()
        #expect(try repair(folder, renewsAll: true) == ["all topics get new epochs, as --new-epochs says"])
        #expect(try topics(folder).map(\.epoch) == ["new", "new", "e"])
        #expect(try folder.offsets(of: 2) == Array(1...120))
    }

    /// Changes the name of topic 1 in its row.
    private func damageRow(_ folder: StoredFolder) throws {
        let topic = try #require(try topics(folder).first)
        let row = topic.name + Array(topic.epoch.utf8)
        try folder.change("catalog.sqlite") { bytes in
            if let place = bytes.indices.last(where: { bytes[$0...].starts(with: row) }) { bytes[place + 1] ^= 4 }
        }
        #expect(folder.refusal() != nil)
    }

    @Test func `makes a catalog anew whose row is damaged, without that topic`() throws {
        let folder = try StoredFolder()
        try damageRow(folder)
        let repair = try FolderRepair(
            folder.path,
            makeEpoch: { "new" },
            visit: { _, topic, _ in
                topic?.name == Array("t5".utf8) ? "it bears another name" : nil
            }
        )
        #expect(repair.lines.count == 1)
        #expect(
            repair.lines.first?.hasSuffix("topic 't5', number 1, is lost, with its messages, offsets 1 to 120") == true,
            "\(repair.lines)"
        )
        _ = try repair.run()
        #expect(try folder.survey().failures == [])
        #expect(try topics(folder).map(\.number) == [2, 3])
        #expect(try topics(folder).map(\.epoch) == ["e", "e"])
        // Its number is never used again, as there are records with it.
        #expect(try FolderView(folder.path).catalog().nextTopic == 4)
    }

    @Test func `keeps a topic whose row is damaged, if its messages bear the name that is in it`() throws {
        let folder = try StoredFolder()
        try damageRow(folder)
        let lines = try repair(folder)
        #expect(lines.count == 1 && lines[0].contains("it stays, in a new epoch"))
        try expectSound(folder, "")
        #expect(try folder.offsets(of: 1) == Array(1...120))
        #expect(try topics(folder).map(\.epoch) == ["new", "e", "e"])
    }

    @Test func `what was purged does not come back with a repaired row`() throws {
        let folder = try StoredFolder()
        try folder.apply([.keep(topic: 1, from: 61), .keep(topic: 2, from: 31)])
        try damageRow(folder)
        let lines = try repair(folder)
        #expect(lines.count == 1 && lines[0].contains("it stays, in a new epoch"))
        try expectSound(folder, "")
        #expect(try folder.offsets(of: 1) == Array(61...120))
        #expect(try folder.offsets(of: 2) == Array(31...120))
        // Nor with the next repair, and a topic that is deleted leaves nothing of it.
        try damageRow(folder)
        _ = try repair(folder)
        #expect(try folder.offsets(of: 1) == Array(61...120))
        try folder.apply([.delete(topic: 1)])
        #expect(try FolderView(folder.path).catalog().counters == ["from.2": 31])
    }

    @Test func `where both places that say what was purged are damaged, it comes back, and the repair says so`() throws
    {
        let folder = try StoredFolder()
        try folder.apply([.keep(topic: 1, from: 61)])
        try damageRow(folder)
        let counter = Array("from.1".utf8)
        try folder.change("catalog.sqlite") { bytes in
            for place in bytes.indices where bytes[place...].starts(with: counter) { bytes[place + counter.count] ^= 4 }
        }
        let lines = try repair(folder)
        #expect(lines.contains { $0.contains("a row of table counters is damaged") }, "\(lines)")
        try expectSound(folder, "")
        #expect(try folder.offsets(of: 1) == Array(1...120))
    }

    @Test func `does not make up a catalog that is missing`() throws {
        let folder = try StoredFolder()
        for suffix in ["", "-wal", "-shm"] {
            try? FileManager.default.removeItem(atPath: "\(folder.path)/catalog.sqlite\(suffix)")
        }
        do throws(DataFolderError) {
            _ = try FolderRepair(folder.path, makeEpoch: { "new" })
            Issue.record("there is no catalog")
        } catch {
            #expect(error.exitCode == 78 && error.description.contains("restore a backup"))
        }
    }

    @Test func `is refused while a server has the folder, and where there is none`() throws {
        let folder = try StoredFolder()
        let server = try DataFolder(folder.path)
        do throws(DataFolderError) {
            _ = try FolderRepair(folder.path, makeEpoch: { "new" })
            Issue.record("a server has it")
        } catch {
            #expect(error.exitCode == 73)
        }
        withExtendedLifetime(server) {}
        #expect(throws: DataFolderError.self) { try FolderRepair("\(folder.path)/none", makeEpoch: { "new" }) }
        #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/none"))
    }

    @Test(arguments: [true, false])
    func `after any few bytes were changed, a start succeeds`(isClosed: Bool) throws {
        for seed in 0..<40 {
            var random = SeededGenerator(seed: UInt64(seed))
            let folder = try StoredFolder(13, isClosed: isClosed)
            let changed = try change(folder, withCatalog: isClosed, &random)
            let comment: Comment = "seed \(seed): \(changed)"
            do {
                _ = try repair(folder)
                try expectSound(folder, comment)
            } catch let error as DataFolderError {
                // Only a catalog can be beyond repair.
                #expect(error.description.contains("catalog.sqlite"), comment)
            }
        }
    }

    @Test func `of each topic the last messages are there that have no damage between them`() throws {
        for seed in 0..<60 {
            var random = SeededGenerator(seed: UInt64(seed))
            let folder = try StoredFolder(13)
            let changed = try change(folder, withCatalog: false, &random)
            _ = try repair(folder)
            for topic in [1, 2] {
                let lost = Set(changed.compactMap { StoredFolder.commit(at: $0.place, of: $0.file, topic: topic) })
                var last = 12
                while lost.contains(last) { last -= 1 }
                var first = last
                while first > 0, !lost.contains(first - 1) { first -= 1 }
                let offsets = UInt64(first * 10 + 1)...UInt64(last * 10 + 10)
                #expect(try folder.offsets(of: UInt32(topic)) == Array(offsets), "seed \(seed): \(changed)")
                let epoch = try topics(folder)[topic - 1].epoch
                if last < 12 { #expect(epoch == "new", "seed \(seed): \(changed)") }
            }
        }
    }

    /// Flips bits of some files, and says which.
    private func change(
        _ folder: StoredFolder,
        withCatalog: Bool,
        _ random: inout SeededGenerator
    ) throws -> [(file: String, place: Int)] {
        var files = try FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/segments").sorted()
            .map { "segments/\($0)" }
        if withCatalog { files.append("catalog.sqlite") }
        var changed: [(file: String, place: Int)] = []
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let file = files[Int.random(in: files.indices, using: &random)]
            let flip = UInt8(1) << UInt8.random(in: 0..<8, using: &random)
            let part = Double.random(in: 0..<1, using: &random)
            try folder.change(file) { bytes in
                // The file of a segment that is not begun is empty.
                guard !bytes.isEmpty else { return }
                let place = Int(part * Double(bytes.count))
                bytes[place] ^= flip
                changed.append((file, place))
            }
        }
        return changed
    }
}
