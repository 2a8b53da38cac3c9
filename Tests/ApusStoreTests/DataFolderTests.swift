import Foundation
import GRDB
import Testing

@testable import ApusStore

@Suite("The data folder")
struct DataFolderTests {
    private let parent: TemporaryFolder
    private var path: String { parent.file("data") }

    init() throws { parent = try TemporaryFolder() }

    private func failure(of path: String) -> DataFolderError? {
        do throws(DataFolderError) {
            _ = try DataFolder(path)
            return nil
        } catch {
            return error
        }
    }

    @Test func `is made, and found again`() throws {
        for _ in 0..<2 {
            let folder = try DataFolder(path)
            #expect(try folder.load(folder.openCatalog()).topics.isEmpty)
            #expect(try folder.segments.names().isEmpty)
        }
        let lock = try String(contentsOfFile: "\(path)/LOCK", encoding: .utf8)
        #expect(lock == "\(ProcessInfo.processInfo.processIdentifier)\n")
    }

    @Test func `is for one server`() throws {
        let folder = try DataFolder(path)
        let failure = failure(of: path)
        let process = Int(ProcessInfo.processInfo.processIdentifier)
        #expect(failure == .inUse(folder: path, process: process))
        #expect(failure?.exitCode == 73)
        let advice = "; stop that one, or name another folder"
        #expect(failure?.description == "\(path) is in use by another server, process \(process)\(advice)")
        withExtendedLifetime(folder) {}
    }

    @Test func `is free again when its server has gone`() throws {
        do { _ = try DataFolder(path) }
        #expect(failure(of: path) == nil)
    }

    @Test func `is not made in what is not there`() {
        let failure = failure(of: "\(path)/deeper")
        #expect(failure == .cannotBeMade(path: "\(path)/deeper", reason: "No such file or directory"))
        #expect(failure?.exitCode == 73)
    }

    @Test func `is not a file`() throws {
        try parent.write([1], to: "data")
        #expect(failure(of: path) == .cannotBeMade(path: path, reason: "it is no folder"))
    }

    @Test func `is not one with other things in it`() throws {
        try parent.write([1], to: "letter")
        #expect(failure(of: parent.path) == .foreign(folder: parent.path))
        #expect(failure(of: parent.path)?.exitCode == 73)
        #expect(try FileManager.default.contentsOfDirectory(atPath: parent.path) == ["letter"])
    }

    @Test func `may be the root of a new file system`() throws {
        try FileManager.default.createDirectory(atPath: parent.file("lost+found"), withIntermediateDirectories: false)
        #expect(failure(of: parent.path) == nil)
    }

    @Test func `has to be one that can be written to`() throws {
        // As anybody else; root may write everywhere, but nobody writes to /proc.
        let failure = failure(of: "/proc/self")
        guard case .notWritable = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
        #expect(failure?.exitCode == 73)
    }

    @Test func `has a catalog where it has messages`() throws {
        let folder = try DataFolder(path)
        _ = try folder.segments.create(SegmentHead.fileName(1), size: 0)
        let failure = #expect(throws: DataFolderError.self) { try folder.openCatalog() }
        #expect(failure?.description == "\(path)/catalog.sqlite is damaged: it is missing")
        #expect(failure?.exitCode == 78)
    }

    @Test func `says which topic of the catalog is damaged`() throws {
        let folder = try DataFolder(path)
        let catalog = try folder.openCatalog()
        let topic = Catalog.Topic(
            number: 3,
            name: Array("orders".utf8),
            epoch: "e",
            durability: .disk,
            settings: "{}",
            created: 0
        )
        try catalog.apply([.create(topic)])
        try catalog.queue.write { try $0.execute(sql: "UPDATE topics SET epoch = 'f'") }
        let failure = #expect(throws: DataFolderError.self) { try folder.load(catalog) }
        #expect(
            failure?.description
                == "\(path)/catalog.sqlite is damaged, topic 'orders': its row, number 3, is not as it was written"
        )
    }

    @Test func `says where a segment is damaged, and in which offsets`() {
        let damage = DataFolderError.Damage(path: "d/1.seg", place: 64, topic: Array("a".utf8), offsets: 5...9)
        #expect("\(DataFolderError.damaged(damage))" == "d/1.seg is damaged at byte 64, topic 'a', offsets 5 to 9")
    }

    @Test func `says that a newer version wrote it`() {
        let failure = DataFolderError(.version(2), of: "d/catalog.sqlite")
        #expect(failure.exitCode == 78)
        #expect(
            "\(failure)"
                == "d/catalog.sqlite was written by a newer version of Apus, in format 2, which this one does not know"
        )
    }
}
