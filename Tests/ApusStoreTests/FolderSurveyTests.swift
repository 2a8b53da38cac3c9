import Foundation
import Testing

@testable import ApusStore

/// What `apus data check` finds.
@Suite("A survey of a data folder")
struct FolderSurveyTests {
    @Test func `finds nothing wrong with what a server has left, closed or not, and changes nothing`() throws {
        for isClosed in [true, false] {
            let folder = try StoredFolder(isClosed: isClosed)
            let names = try folder.segmentNames()
            let survey = try folder.survey()
            #expect(survey.failures == [])
            #expect(survey.torn == nil)
            #expect(survey.totals.messages == 360)
            #expect(survey.totals.records == 36)
            #expect(survey.totals.topics == 3)
            #expect(try folder.segmentNames() == names)
        }
    }

    @Test func `finds each byte of a segment that was changed, and goes on behind it`() throws {
        let folder = try StoredFolder()
        let name = "segments/0000000002.seg"
        let bytes = try folder.parent.read("data/\(name)")
        for place in stride(from: 0, to: bytes.count, by: 5) {
            try folder.change(name) { $0[place] ^= 4 }
            defer { try? folder.parent.write(bytes, to: "data/\(name)") }
            let survey = try folder.survey()
            try #require(!survey.failures.isEmpty, "byte \(place)")
            #expect(survey.failures.allSatisfy { $0.description.contains("0000000002.seg is damaged") })
            #expect(survey.totals.records >= 35, "byte \(place)")
        }
    }

    @Test func `names topic and offsets of a record that is damaged`() throws {
        let folder = try StoredFolder()
        try folder.change("segments/0000000002.seg") { $0[64 + 168 + 70] ^= 1 }
        let path = "\(folder.path)/segments/0000000002.seg"
        let description = "\(path) is damaged at byte 232, topic 't2', offsets 31 to 40"
        #expect(try folder.survey().failures.map(\.description) == [description])
    }

    @Test func `finds each byte of an index that was changed`() throws {
        let folder = try StoredFolder()
        let name = "segments/0000000002.seg.idx"
        let bytes = try folder.parent.read("data/\(name)")
        for place in bytes.indices {
            try folder.change(name) { $0[place] ^= 4 }
            let failures = try folder.survey().failures
            #expect(failures.count == 1 && failures[0].description.contains(name), "byte \(place): \(failures)")
            try folder.parent.write(bytes, to: "data/\(name)")
        }
    }

    @Test func `finds segments that are missing, the newest too`() throws {
        let folder = try StoredFolder()
        let names = try folder.segmentNames()
        for name in [names[0], names[2], names[names.count - 1]] {
            let bytes = try folder.parent.read("data/segments/\(name)")
            try FileManager.default.removeItem(atPath: "\(folder.path)/segments/\(name)")
            let first = try folder.survey().failures.first
            #expect(first?.description == "\(folder.path)/segments/\(name) is damaged: it is missing")
            try folder.parent.write(bytes, to: "data/segments/\(name)")
        }
    }

    @Test func `says what a crash has cut, which is no damage, but what comes after it is`() throws {
        let folder = try StoredFolder(13, isClosed: false)
        let name = try #require(try folder.segmentNames().dropLast().last)
        let whole = try folder.parent.read("data/segments/\(name)")
        try folder.change("segments/\(name)") { $0[64 + 300] ^= 1 }
        var survey = try folder.survey()
        #expect(survey.failures == [])
        #expect(survey.torn?.place == 64)
        // Another commit after it was written when this one was kept.
        let other = try StoredFolder(14, isClosed: false)
        try folder.parent.write(whole, to: "data/segments/\(name)")
        let longer = try other.parent.read("data/segments/\(name)")
        #expect(longer.count == whole.count)
        try folder.parent.write(longer, to: "data/segments/\(name)")
        try folder.change("segments/\(name)") { $0[64 + 300] ^= 1 }
        survey = try folder.survey()
        #expect(survey.failures.count == 1)
        #expect(folder.refusal() != nil)
    }

    @Test func `agrees with a start: what that refuses is found`() throws {
        var random = SystemRandomNumberGenerator()
        let folder = try StoredFolder()
        var files = try folder.segmentNames().map { "segments/\($0)" }
        files += ["catalog.sqlite"]
        for _ in 0..<60 {
            let file = files.randomElement(using: &random) ?? files[0]
            let bytes = try folder.parent.read("data/\(file)")
            guard !bytes.isEmpty else { continue }
            let place = Int.random(in: 0..<bytes.count, using: &random)
            try folder.change(file) { $0[place] ^= 1 << UInt8.random(in: 0..<8, using: &random) }
            let found = try folder.survey().failures
            // Without indexes a start reads all, too.
            for name in try folder.segmentNames() {
                try? FileManager.default.removeItem(atPath: "\(folder.path)/segments/\(name).idx")
            }
            if let refusal = folder.refusal() { #expect(!found.isEmpty, "\(file) \(place): \(refusal)") }
            try folder.parent.write(bytes, to: "data/\(file)")
            try? FileManager.default.removeItem(atPath: "\(folder.path)/catalog.sqlite-wal")
            try? FileManager.default.removeItem(atPath: "\(folder.path)/catalog.sqlite-shm")
        }
    }

    @Test func `a folder of somebody else is none, nor is one that is not there`() throws {
        let parent = try TemporaryFolder()
        try parent.write([1], to: "notes.txt")
        #expect(throws: DataFolderError.foreign(folder: parent.path)) { try FolderView(parent.path) }
        do throws(DataFolderError) {
            _ = try FolderView(parent.file("none"))
            Issue.record("there is no such folder")
        } catch {
            #expect(error.exitCode == 73)
        }
    }
}
