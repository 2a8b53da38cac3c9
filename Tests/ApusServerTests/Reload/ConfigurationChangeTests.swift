import Foundation
import Testing

@testable import ApusServer

/// What a new configuration changes in a running server.
@Suite struct ConfigurationChangeTests {
    private func change(from running: String, to next: String) throws -> ConfigurationChange {
        try ConfigurationChange(from: load(running).configuration, to: load(next))
    }

    @Test(arguments: Setting.all.map(\.key))
    func `a reloadable setting changes at once, and any other is named with both values`(key: String) throws {
        let setting = try #require(Setting.named(key))
        let text = try #require(ConfigurationTests.others[key])
        let change = try change(from: "", to: "\(key): '\(text)'")
        let next = try load("\(key): '\(text)'").configuration
        if setting.isReloadable {
            #expect(change.next == next)
            #expect(change.changed == [key] && change.postponed.isEmpty)
        } else {
            #expect(change.next == ServerConfiguration())
            #expect(change.changed.isEmpty && change.postponed.map(\.key) == [key])
            let postponed = try #require(change.postponed.first)
            #expect(postponed.running == setting.show(ServerConfiguration()).plain)
            #expect(postponed.configured == setting.show(next).plain)
            #expect(postponed.source.hasPrefix("file "))
        }
    }

    @Test func `what is the same changes nothing`() throws {
        let text = "port: 9000\napi_keys: [a]\ntopics: {declare: [{name: a, history: 5}]}"
        let change = try change(from: text, to: text)
        #expect(change.changed.isEmpty && change.postponed.isEmpty)
        #expect(try change.next == load(text).configuration)
    }

    @Test func `a setting that waits for a restart is named again each time`() throws {
        let first = try change(from: "", to: "threads: 3")
        let second = try ConfigurationChange(from: first.next, to: load("threads: 3\nqueue: 5"))
        #expect(second.changed == ["queue"] && second.postponed.map(\.key) == ["threads"])
    }

    @Test func `new values have to go together with those that stay`() throws {
        let error = #expect(throws: ConfigurationError.self) {
            try change(from: "topic_bytes: 1MiB", to: "topic_bytes: 8MiB\nmax_message: 4MiB")
        }
        #expect(error?.setting == "topic_bytes")
        #expect(error?.reason.hasSuffix("; its new value needs a restart") == true)
        #expect(throws: ConfigurationError.self) {
            try change(from: "max_topics: 1", to: "max_topics: 2\ntopics: {declare: [{name: a}, {name: b}]}")
        }
    }

    @Test(arguments: [
        "api_keys: [a]", "anonymous: []", "keys_file: k.yaml", "tokens: {jwks_url: 'https://a.example/'}",
    ])
    func `a server that asks for credentials is never opened, not even by an empty file`(running: String) throws {
        for next in ["", "# nothing", "queue: 5"] {
            let error = #expect(throws: ConfigurationError.self) { try change(from: running, to: next) }
            #expect(error.map { "\($0)".contains("would open the server to everybody") } == true)
        }
        _ = try change(from: running, to: "api_keys: [b]")
        _ = try change(from: "", to: running)
    }

    @Test func `a server that asks for certificates of clients alone keeps asking for them`() throws {
        let tls = "tls: {certificate: a.pem, key: a.key}"
        let asking = "tls: {certificate: a.pem, key: a.key, client_ca: ca.pem}"
        let error = #expect(throws: ConfigurationError.self) { try change(from: asking, to: tls) }
        #expect(error.map { "\($0)".contains("would open the server to clients without a certificate") } == true)
        _ = try change(from: asking, to: tls + "\napi_keys: [a]")
        _ = try change(from: tls, to: asking)
    }

    @Test func `secrets are hidden, and all files are named`() throws {
        let change = try change(from: "api_keys: [s3cret]", to: "api_keys: [t3cret]")
        #expect(change.changed == ["api_keys"])
        #expect(!"\(change.postponed)".contains("cret"))
        let text = """
            keys_file: k.yaml
            tokens: {jwks_file: j.json, keys: [{alg: HS256, file: t.txt}]}
            tls: {certificate: c.pem, key: c.key, client_ca: ca.pem, more: [{certificate: d.pem, key: d.key}]}
            """
        let named = ["k.yaml", "j.json", "t.txt", "c.pem", "c.key", "ca.pem", "d.pem", "d.key"]
        try withFile("a") { secret in
            try withFile(text) { file in
                let loaded = try ServerConfiguration.load(
                    environment: ["APUS_API_KEYS_FILE": secret, "APUS_QUEUE": "5"],
                    file: file
                )
                #expect(loaded.files == [file, secret] + named)
            }
        }
        #expect(try ServerConfiguration.load(flags: ["queue": ["5"]], environment: ["APUS_PORT": "1"]).files.isEmpty)
    }

    @Test func `the documentation lists what is reloadable`() throws {
        let file = ConfigurationTests.repository.appending(path: "docs/configuration.md")
        guard let text = try? String(contentsOf: file, encoding: .utf8) else { return }
        let start = try #require(text.range(of: "<!-- reloadable: begin -->"))
        let end = try #require(text.range(of: "<!-- reloadable: end -->"))
        let listed = text[start.upperBound..<end.lowerBound].matches(of: /`([a-z0-9_.]+)`/).map { String($0.1) }
        #expect(listed.sorted() == Setting.all.filter(\.isReloadable).map(\.key).sorted())
    }
}
