import Foundation
import Testing

/// What the fuzzers have found worth keeping, through the same checks, without a fuzzer.
@Suite struct ReplayTests {
    private static let corpus = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Corpus")

    @Test(arguments: FuzzTarget.all)
    func `every input of the corpus keeps the invariants`(target: FuzzTarget) async throws {
        let folder = Self.corpus.appending(path: target.name)
        // A thread of its own: a check may block it.
        let count = try await withCheckedThrowingContinuation { done in
            Thread { done.resume(with: Result { try Self.replay(folder, target) }) }.start()
        }
        #expect(count > 0)
    }

    @Test func `every corpus has its target`() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: Self.corpus.path)
        #expect(folders.sorted() == FuzzTarget.all.map(\.name).sorted())
    }

    private static func replay(_ folder: URL, _ target: FuzzTarget) throws -> Int {
        let check = try target.prepare()
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        for file in files {
            let bytes = [UInt8](try Data(contentsOf: file))
            do {
                try bytes.withUnsafeBytes { try check($0) }
            } catch {
                throw Broken(invariant: "\(error), by \(target.name)/\(file.lastPathComponent)")
            }
        }
        return files.count
    }
}

extension FuzzTarget: CustomTestStringConvertible {
    var testDescription: String { name }
}
