import Foundation
import Testing

@testable import ApusStore

/// What `apus data backup` makes.
@Suite("A backup of a data folder")
struct FolderBackupTests {
    private func backup(_ folder: StoredFolder, _ name: String = "backup") throws -> StoredFolder {
        _ = try FolderBackup.make(of: FolderView(folder.path), in: folder.parent.file(name))
        return StoredFolder(parent: folder.parent, name: name)
    }

    @Test(arguments: [true, false])
    func `has all, and a server starts from it`(isClosed: Bool) throws {
        let folder = try StoredFolder(13, isClosed: isClosed)
        let copy = try backup(folder)
        #expect(try copy.survey().failures == [])
        #expect(try copy.offsets(of: 1) == Array(1...130))
        #expect(try copy.offsets(of: 2) == Array(1...130))
        #expect(folder.refusal() == nil)
    }

    @Test func `is made of a folder that has no messages yet`() throws {
        let folder = try StoredFolder(0)
        let copy = try backup(folder)
        #expect(copy.refusal() == nil)
        #expect(try FolderView(copy.path).catalog().topics.count == 3)
    }

    @Test func `leaves out what a crash has cut`() throws {
        let folder = try StoredFolder(13, isClosed: false)
        let newest = try #require(try folder.segmentNames().dropLast().last)
        try folder.change("segments/\(newest)") { $0[64 + 300] ^= 1 }
        let copy = try backup(folder)
        #expect(try copy.offsets(of: 1) == Array(1...120))
    }

    @Test func `goes only where nothing is`() throws {
        let folder = try StoredFolder()
        _ = try backup(folder)
        #expect(throws: DataFolderError.self) { try backup(folder) }
        #expect(throws: DataFolderError.self) { try backup(folder, "not/there") }
    }

    @Test func `is none of a folder that misses a segment, and leaves nothing behind`() throws {
        let folder = try StoredFolder()
        try FileManager.default.removeItem(atPath: "\(folder.path)/segments/0000000002.seg")
        #expect(throws: DataFolderError.self) { try backup(folder) }
        #expect(try StoredFolder(parent: folder.parent, name: "backup").segmentNames() == [])
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.parent.file("backup")) == ["segments"])
    }

    @Test func `what is repaired in one folder stays as it is in the other`() throws {
        let folder = try StoredFolder()
        let copy = try backup(folder)
        // The same file, as far as it is linked.
        try FileManager.default.removeItem(atPath: "\(folder.path)/segments/0000000003.seg")
        _ = try FolderRepair(folder.path, makeEpoch: { "new" }).run()
        #expect(try copy.survey().failures == [])
        #expect(try copy.offsets(of: 1) == Array(1...120))
    }
}
