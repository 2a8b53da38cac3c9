import ApusAccess
import ApusClient
import ApusProtocol
import ArgumentParser
import Foundation
import Testing

@testable import apus

struct KeysCommandTests {
    private let folder = FileManager.default.temporaryDirectory.appending(path: "apus-keys-\(UUID())")
    private var path: String { folder.appending(path: "keys.yaml").path }

    init() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    /// What the command prints at 1,000 s after 1970, in a folder of its own that goes afterwards.
    private func output(_ arguments: String...) async throws -> String {
        let command = try #require(try KeysCommand.parseAsRoot(arguments) as? any OfflineCommand)
        return try await command.output(at: 1_000_000)
    }

    private func failure(_ arguments: String...) async -> CommandFailure? {
        do {
            let command = try #require(try KeysCommand.parseAsRoot(arguments) as? any OfflineCommand)
            _ = try await command.output(at: 1_000_000)
            return nil
        } catch {
            return error as? CommandFailure
        }
    }

    private func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    private func clean() { try? FileManager.default.removeItem(at: folder) }

    @Test func `A key that is made is printed once, works, and is in the file only as a digest`() async throws {
        defer { clean() }
        let key = try await output(
            "create",
            "shop",
            "--file",
            path,
            "--allow",
            "publish:orders.>",
            "--deny",
            "*:orders.x",
            "--expires",
            "90d"
        ).trimmedEnd
        #expect(KeyForm.read(key) == .key(id: "shop"))
        let text = try StructuredFile.text(of: path)
        #expect(!text.contains(key.suffix(30)))
        #expect(try mode(path) == 0o600)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["keys.yaml"])
        let ring = try KeyRing(KeysFile(path: path).keys)
        let found = try ring.key(presented: key, at: 1_000_000)
        #expect(found.rights.allows(.publish, topic: "orders.eu"))
        #expect(!found.rights.allows(.publish, topic: "orders.x"))
        #expect(found.expires == Int64(7_777_000_000))
    }

    @Test func `A list shows no secret, no digest and no control character`() async throws {
        defer { clean() }
        let key = try await output("create", "a", "--file", path, "--allow", "*:>", "--label", "x\u{1B}[2J").trimmedEnd
        let digest = KeyDigest(of: key).hex
        for arguments in [["list", "--file", path], ["list", "--file", path, "--json"]] {
            let command = try #require(try KeysCommand.parseAsRoot(arguments) as? any OfflineCommand)
            let text = try await command.output(at: 2_000_000)
            #expect(text.contains("a"))
            #expect(!text.contains(key) && !text.contains(digest) && !text.contains("\u{1B}"))
        }
        let json = try #require(JSONValue(try await output("list", "--file", path, "--json")))
        guard case .object(let members) = json else { throw CommandFailure("no object") }
        #expect(members.map(\.name) == ["keys"])
    }

    @Test func `Revoking takes out the keys that are named, or none if one does not exist`() async throws {
        defer { clean() }
        for id in ["a", "b", "c"] { _ = try await output("create", id, "--file", path, "--allow", "*:>") }
        let before = try StructuredFile.text(of: path)
        let failed = await failure("revoke", "a", "nobody", "--file", path)
        #expect(failed?.exitCode == .failure)
        #expect(try StructuredFile.text(of: path) == before)
        #expect(try await output("revoke", "a", "c", "--file", path) == "revoked a\nrevoked c\n")
        #expect(try KeysFile(path: path).keys.map(\.id) == ["b"])
    }

    @Test func `An id that is there already is refused, and the file stays as it is`() async throws {
        defer { clean() }
        _ = try await output("create", "a", "--file", path, "--allow", "*:>")
        let before = try StructuredFile.text(of: path)
        #expect(await failure("create", "a", "--file", path, "--allow", "*:>")?.message.contains("second time") == true)
        #expect(try StructuredFile.text(of: path) == before)
    }

    @Test(arguments: [
        ["A"], ["a"], ["a", "--allow", "publish"], ["a", "--allow", "fly:x"], ["a", "--allow", "publish:a>"],
        ["a", "--rights", "{"], ["a", "--rights", "{}"], ["a", "--rights", "[]", "--allow", "*:>"],
        ["a", "--allow", "*:>", "--expires", "1970-01-01T00:00:01Z"],
        ["a", "--allow", "*:>", "--label", String(repeating: "x", count: 257)],
    ])
    func `Wrong arguments make no key`(arguments: [String]) async throws {
        defer { clean() }
        let command = try #require(
            try KeysCommand.parseAsRoot(["create", "--file", path] + arguments) as? any OfflineCommand
        )
        let error = await #expect(throws: CommandFailure.self) { try await command.output(at: 1_000_000) }
        #expect(error?.exitCode == .usage)
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test func `A file behind a link is changed, and the link stays one; nobody else gets to read it`() async throws {
        defer { clean() }
        let link = folder.appending(path: "link.yaml").path
        _ = try await output("create", "a", "--file", path, "--allow", "*:>")
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: path)
        _ = try await output("create", "b", "--file", link, "--allow", "*:>")
        #expect(try KeysFile(path: path).keys.map(\.id) == ["a", "b"])
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == path)
        #expect(try mode(path) == 0o640)
    }

    @Test func `Commands at the same time lose no key`() async throws {
        defer { clean() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<8 {
                group.addTask { _ = try await output("create", "k\(number)", "--file", path, "--allow", "*:>") }
            }
            try await group.waitForAll()
        }
        #expect(try Set(KeysFile(path: path).keys.map(\.id)) == Set((0..<8).map { "k\($0)" }))
    }

    @Test func `A file or folder that cannot be used is told by its path and reason`() async throws {
        defer { clean() }
        #expect(await failure("list", "--file", path)?.exitCode == .badConfiguration)
        #expect(await failure("revoke", "a", "--file", path)?.message.hasPrefix("'\(path)': ") == true)
        let nowhere = folder.appending(path: "none/keys.yaml").path
        #expect(await failure("create", "a", "--file", nowhere, "--allow", "*:>")?.exitCode == .badConfiguration)
    }
}
