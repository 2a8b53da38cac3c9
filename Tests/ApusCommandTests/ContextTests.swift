import ApusClient
import ApusServer
import ArgumentParser
import Foundation
import Testing

@testable import apus

@Suite("Contexts")
struct ContextTests {
    @Test func `are kept where the environment says`() {
        #expect(ContextFile.path(in: ["XDG_CONFIG_HOME": "/x", "HOME": "/h"]) == "/x/apus/contexts.json")
        #expect(ContextFile.path(in: ["XDG_CONFIG_HOME": "", "HOME": "/h"]) == "/h/.config/apus/contexts.json")
        #expect(ContextFile.path(in: [:]) == nil)
    }

    @Test func `are read as they were saved, in a file for the owner alone`() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appendingPathComponent("new/contexts.json").path
        var file = try ContextFile(path: path)
        #expect(file.contexts.isEmpty && file.current == nil)
        var context = StoredContext(url: "https://a.example/x")
        (context.tokenFile, context.ca, context.cert, context.certKey) = ("/t", "/ca", "/c", "/k")
        file.contexts["prod"] = context
        file.current = "prod"
        try file.save()
        let again = try ContextFile(path: path)
        #expect(again.contexts == ["prod": context] && again.current == "prod")
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(text.contains(#""token_file" : "/t""#) && text.contains(#""url" : "https://a.example/x""#))
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path + "/new") == ["contexts.json"])
    }

    @Test(arguments: [("prod", true), ("a.b-c_1", true), ("", false), ("-a", false), ("a b", false), ("a/b", false)])
    func `have plain names`(name: String, isGood: Bool) {
        #expect((StoredContext.fault(ofName: name) == nil) == isGood)
    }

    @Test func `show no secret`() {
        var context = StoredContext(url: "http://a")
        context.apiKey = "secret"
        #expect(
            !ContextTable.text("a", context).contains("secret") && !ContextTable.json("a", context).contains("secret")
        )
    }

    private func credentials(_ arguments: [String], _ layers: [SettingsLayer]) throws -> String {
        let (key, token) = try CredentialOptions.parse(arguments).given(layers)
        return key ?? (token == nil ? "none" : "token")
    }

    @Test func `and flags and the environment take precedence in order`() throws {
        let environment = SettingsLayer(EnvironmentVariables(["APUS_API_KEY": "environment", "APUS_URL": "http://e"]))
        var stored = StoredContext(url: "http://c")
        stored.apiKey = "context"
        let context = SettingsLayer(stored, name: "c")
        let empty = SettingsLayer(EnvironmentVariables([:]))
        #expect(try credentials(["--api-key", "flag"], [environment, context]) == "flag")
        #expect(try credentials(["--token", "flag"], [environment, context]) == "token")
        #expect(try credentials([], [environment, context]) == "environment")
        #expect(try credentials([], [context, environment]) == "context")
        #expect(try credentials([], [empty, context]) == "context")
        #expect(try credentials([], [empty]) == "none")
        let tls = try TLSArguments.parse([])
        func url(_ flag: String?, _ layers: [SettingsLayer]) throws -> String {
            try ConnectionOptions.address(flag, from: "--url", tls, layers).description
        }
        #expect(try url("http://f", [environment, context]) == "http://f:80")
        #expect(try url(nil, [environment, context]) == "http://e:80")
        #expect(try url(nil, [empty, context]) == "http://c:80")
        #expect(try url(nil, [empty]) == "http://127.0.0.1:8080")
    }

    @Test func `and flags may name several servers, for commands that can use them`() throws {
        func addresses(_ urls: String...) throws -> [String] {
            let options = try ConnectionOptions.parse(urls.flatMap { ["--url", $0] })
            return try options.addresses().map(\.description)
        }
        #expect(try addresses("http://a,http://b/apus", "unix:/c") == ["http://a:80", "http://b:80/apus", "unix:/c"])
        let one = #expect(throws: CommandFailure.self) {
            try ConnectionOptions.parse(["--url", "http://a,http://b"]).address()
        }
        #expect(one?.message == "this command talks to one server, and is given 2")
        for list in ["http://a,", ",http://a", "http://a,b", "http://a,http://b/v1"] {
            #expect(throws: CommandFailure.self) { try addresses(list) }
        }
    }

    @Test func `have a certificate with its key, and one credential`() {
        var stored = StoredContext(url: "http://c")
        stored.cert = "/cert"
        let half = #expect(throws: CommandFailure.self) {
            try TLSArguments.parse([]).options([SettingsLayer(stored, name: "c")])
        }
        #expect(half?.message.contains("context 'c'") == true)
        (stored.apiKey, stored.tokenFile) = ("key", "/token")
        let both = #expect(throws: CommandFailure.self) { try credentials([], [SettingsLayer(stored, name: "c")]) }
        #expect(both?.message.contains("only one") == true)
    }
}
