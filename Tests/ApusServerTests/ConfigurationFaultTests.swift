import Foundation
import Testing

@testable import ApusServer

/// Bad values and files: refused, and named.
@Suite struct ConfigurationFaultTests {
    private static let bad: [String: [String]] = [
        "host": ["", "a b", "http://a", "1.2.3.256", "1.2.3", ":::", "[::1", "[a]", "[]", "[::1]:1", "a/b", "ü"],
        "port": ["abc", "-1", "65536", "80.5", "1e3", "", "0x50", "99999999999999999999"],
        "listen": ["127.0.0.1", "unix:apus.sock", "[::1]", "a:1,a:1"],
        "socket_mode": ["0800", "01777", "rw", "-1", "0o", "00660"],
        "base_path": ["apus", "/a//b", "/v1"],
        "threads": ["-2", "1025", "all"],
        "log_level": ["loud", ""],
        "log_format": ["xml"],
        // Texts that may be anything in one line, which no file, flag or variable makes two of.
        "tls.certificate": [], "tls.key": [], "tls.client_ca": [], "tls.ticket_keys": [],
        "tls.more": [
            "a.pem", "{}", "[1]", "[{}]", #"[{"certificate":"a.pem"}]"#, #"[{"certificate":"a.pem","key":""}]"#,
            #"[{"certificate":"a.pem","key":"a.key","ca":"a"}]"#, #"[{"certificate":"a.pem","key":1}]"#,
        ],
        "keys_file": [], "tokens.jwks_file": [], "tokens.issuer": [], "tokens.audience": [], "tokens.claim": [""],
        "anonymous": ["all", "{}", #"[{"actions":["fly"],"topics":["a"]}]"#],
        "tokens.jwks_url": ["http://a.example/", "ftp://a", "jwks.json", "http://localhost.example/"],
        "trusted_proxies": ["localhost", "10.0.0.0/33", "10.0.0.1:80", "[::1]", "unix:/run/x", "*"],
        "proxy_protocol": ["v2", "1"], "connections_per_address": ["-1", "10000001", "few"],
        "token_leeway": ["-1s", "25h"], "token_max_age": ["soon"], "token_grace": ["25h"], "jwks_ttl": ["0", "999ms"],
        "allowed_origins": ["a.example", "https://a.example/", "null", "https://a.*.example"],
        "allowed_hosts": ["a.example:80", "https://a.example", "a b", "*"],
        "console": ["maybe", "1"], "max_consoles": ["-1", "10001"],
        "history": ["-1", "many"],
        "release_memory_after": ["soon", "-1s"],
        "loop_lag": ["0", "-1", "many", "1000000001"],
        "loop_lag_bytes": ["0", "-5", "1 KiB", "10TiB"],
        "topic_bytes": ["0", "-5", "1 KiB", "10TiB", "1.5MiB", "KiB", "1023"],
        "queue": ["0", "-1"],
        "overflow": ["explode", "drop_oldest"],
        "subscriber_throttle": ["maybe", "throttle"],
        "throttle_timeout": ["-1s", "25h", "1ms"],
        "ping_interval": ["soon", "-5s", "5ms", "2d", "s", "1,5s", "0.0001"],
        "pong_timeout": ["1e3"], "heartbeat": ["-0"], "handshake_timeout": ["0", "0s"], "auth_timeout": ["0"],
        "idle_timeout": ["9ms"], "close_timeout": ["0ms"], "drain_timeout": ["-1", "1 s"],
        "max_message": ["1 parsec", "127", "2GiB"], "max_depth": ["0", "1025"], "max_client_id": ["0", "65537"],
        "max_connections": ["0"], "max_subscriptions": ["0"], "max_topics": ["-1"], "max_matches": ["0"],
        "max_queue": ["0", "100000001"], "max_batch": ["0", "1000001"], "max_dedupe": ["0", "1e3"],
        "max_series": ["99"], "max_memory": ["1KiB", "0%", "101%", "%", "half", "-1"],
        "reconnect_rate": ["0", "fast"], "live_timeout": ["0", "999ms", "25h"],
        "command_rate": ["fast", "-1", "1.5", "1/d", "/s"], "command_burst": ["-1", "many"],
        "publish_rate": ["10/"], "publish_burst": ["1/s"],
        "publish_bytes_rate": ["1 parsec", "1MiB/w", "2TiB"], "publish_bytes_burst": ["2TiB"],
        "topic_rate": ["1/m/s"], "topic_burst": ["1.5"],
        "data": [], "data_bytes": ["-1", "much"], "commit_backlog": ["0", "2TiB"],
        "history_memory": ["-1", "2TiB"],
        "nats_creds": [], "nats_ca": [], "nats_prefix": [], "nats_node": [], "nats_replicas": ["0", "6", "three"],
        "nats_unsafe_sync": ["maybe"], "nats_sync_always": ["maybe"], "nats_mirror": ["some"],
        "tracing.endpoint": ["collector", "ftp://a", "http://u:p@a", "http://a/#b"],
        "tracing.sample": ["-1", "1.5", "all"],
        "tracing.service_name": [""], "tracing.queue": ["0", "1000001", "many"],
        "compression": ["maybe", "gzip", "1"], "compression_min_size": ["-1", "2GiB", "some"],
        "compression_level": ["0", "10", "fast"],
        "topics.create_existing": ["maybe"], "topics.on_delete": ["explode"],
        "topics.create_on": ["delete", "publish,"],
        "topics.declare": ["orders", "{}", "[5]", "[{}]", #"[{"name":"a*"}]"#, #"[{"name":"a"},{"name":"a"}]"#],
    ]

    @Test(arguments: Setting.all.filter { !$0.isSecret }.map(\.key))
    func `a bad value names its setting itself and its source`(key: String) throws {
        let setting = try #require(Setting.named(key))
        for text in try #require(Self.bad[key], "no bad value of \(key) is tried") {
            // A flag that may be given several times is a list of one here.
            let flag = setting.isList ? [text, "x"] : [text]
            var sources = [
                ("flag --\(setting.flag)", { try ServerConfiguration.load(flags: [key: flag], environment: [:]) })
            ]
            if !text.isEmpty {
                let name = setting.environmentNames[0]
                sources.append(("environment \(name)", { try ServerConfiguration.load(environment: [name: text]) }))
            }
            try withFile("\(key): '\(text)'") { file in
                sources.append(("file \(file):1", { try ServerConfiguration.load(environment: [:], file: file) }))
                for (source, load) in sources {
                    let error = #expect(throws: ConfigurationError.self, "'\(text)'") { _ = try load() }
                    #expect(error?.code == .invalidValue)
                    let message = "\(try #require(error))"
                    let shown = setting.isList && source.hasPrefix("flag") ? "[\(text), x]" : text
                    #expect(message.hasPrefix("\(key): '\(shown)' (from \(source)) is not "))
                }
            }
        }
    }

    @Test func `a message reads like a sentence`() {
        let error = #expect(throws: ConfigurationError.self) {
            try ServerConfiguration.load(environment: ["PUBSUB_PORT": "abc"])
        }
        #expect(
            error.map { "\($0)" }
                == "port: 'abc' (from environment PUBSUB_PORT) is not a whole number from 0 to 65535"
        )
    }

    @Test func `a message stays one line of reasonable length`() throws {
        let error = #expect(throws: ConfigurationError.self) {
            try ServerConfiguration.load(environment: ["PORT": "\u{1b}[2J\n" + String(repeating: "x", count: 1000)])
        }
        let text = "\(try #require(error))"
        #expect(text.hasPrefix("port: '\\u001b[2J\\nxxx"))
        #expect(text.count < 400)
        #expect(!text.contains("\n"))
    }

    @Test func `a topic must hold the largest message`() throws {
        let error = #expect(throws: ConfigurationError.self) {
            try ServerConfiguration.load(flags: ["topic_bytes": ["64KiB"]], environment: [:])
        }
        #expect(error?.code == .conflict)
        #expect(error?.setting == "topic_bytes")
        let together = ["topic_bytes": ["64KiB"], "max_message": ["64KiB"]]
        #expect(try ServerConfiguration.load(flags: together, environment: [:]).configuration.topics.bytes == 65536)
    }

    @Test func `unknown keys in a file are warnings`() throws {
        let text =
            "queu: 5\nlog-level: info\nunheard_of: {a: 1}\ntopics:\n  creat_existing: ok\n  on_delete: disconnect\n"
        let loaded = try load(text)
        let source = try #require(loaded.sources["topics.on_delete"])
        #expect(source.hasSuffix(":6"))
        let file = source.dropLast(2)
        #expect(
            loaded.warnings == [
                "unknown key 'queu' in \(file):1; did you mean 'queue'?",
                "unknown key 'log-level' in \(file):2; did you mean 'log_level'?",
                "unknown key 'unheard_of' in \(file):3",
                "unknown key 'topics.creat_existing' in \(file):5; did you mean 'topics.create_existing'?",
            ]
        )
        #expect(loaded.configuration.topics.onDelete == .disconnect)
    }

    @Test func `nothing that may have been meant to protect the server is passed over`() {
        for text in ["api_key: s3cret", "x: {y: [{tokens: s3cret}]}", #""secret\e[2J": s3cret"#, "max_conections: 5"] {
            let error = #expect(throws: ConfigurationError.self) { try load(text) }
            #expect(error?.code == .unknownSetting)
            let message = error.map { "\($0)" } ?? ""
            #expect(!message.contains("s3cret") && !message.contains("\u{1b}"))
        }
        for environment in [["APUS_API_KEY": "s3cret"], ["APUS_MAX_CONECTIONS": "5"], ["apus-api-keys": "s3cret"]] {
            let error = #expect(throws: ConfigurationError.self) {
                try ServerConfiguration.load(environment: environment)
            }
            #expect(error?.code == .unknownSetting)
            #expect(error.map { "\($0)".contains("s3cret") } == false)
        }
    }

    @Test func `every setting that is mistyped by a letter is found or refused`() throws {
        for setting in Setting.all {
            let typo = String(setting.key.dropLast())
            guard Setting.named(typo) == nil, !Setting.isGroup(typo) else { continue }
            let name = String(setting.environmentNames[0].dropLast())
            let loaded: [Result<String, any Error>] = [
                Result { try ServerConfiguration.load(environment: [name: "1"]).warnings.joined() },
                Result { try load("\(typo): 1").warnings.joined() },
            ]
            for (result, meant) in zip(loaded, [setting.environmentNames[0], setting.key]) {
                let text =
                    switch result {
                    case .success(let warnings): warnings
                    case .failure(let error): "\(error)"
                    }
                #expect(text.contains("did you mean '\(meant)'?"), "\(typo)")
            }
        }
    }

    @Test(arguments: [
        ("queue: {a: 1}", "queue"), ("queue: [1]", "queue"), ("topics: ok", "topics"), ("topics: [ok]", "topics"),
        ("api_keys: [{a: 1}]", "api_keys"), ("api_keys: [a, null]", "api_keys"), ("api_keys: {a: b}", "api_keys"),
        ("topics.on_delete: info\ntopics: {on_delete: info}", "topics.on_delete"),
    ])
    func `a wrong type in a file is refused`(text: String, key: String) throws {
        let error = #expect(throws: ConfigurationError.self) {
            try load(text)
        }
        #expect(error?.setting == key)
        #expect(error?.code == .invalidValue)
    }

    @Test(arguments: [
        ("queue: [1", "yaml"), ("queue: 1\n  history: 2", "yaml"), ("queue: 1\nqueue: 2", "yaml"), ("- 1", "yaml"),
        ("5", "yml"), ("? [a]\n: b", "yaml"), ("a: *b", "yaml"), ("a: 1\n---\nb: 2", "yaml"), ("a: \u{1}", "yaml"),
        ("{\"queue\": 1", "json"), ("queue: 1", "json"), ("[]", "json"), ("", "json"), ("{\"queue\": 1", "conf"),
        ("{queue: 1}", "conf"), ("5", "json"),
    ])
    func `a file that cannot be understood is named`(text: String, suffix: String) throws {
        try withFile(text, extension: suffix) { file in
            let error = #expect(throws: ConfigurationError.self) {
                try ServerConfiguration.load(environment: [:], file: file)
            }
            #expect(error?.code == .unusableFile)
            let text = "\(try #require(error))"
            #expect(text.hasPrefix("config: '\(file)' (from flag --config) ") && !text.contains("cannot be read"))
        }
    }

    @Test func `a faulty file does not show its secrets`() throws {
        for text in ["api_keys: [s3cret\nx: [", "api_keys: \"s3cret\nx: y", "api_keys: s3cret: x"] {
            let error = #expect(throws: ConfigurationError.self) {
                try load(text)
            }
            #expect(error?.reason.hasPrefix("is not valid YAML") == true)
            let message = "\(try #require(error))"
            #expect(!message.contains("s3cret"))
        }
    }

    @Test func `a file of aliases is bounded`() throws {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...9 {
            let aliases = (0..<10).map { _ in "*a\(level - 1)" }.joined(separator: ", ")
            text += "a\(level): &a\(level) [\(aliases)]\n"
        }
        let error = #expect(throws: ConfigurationError.self) {
            try load(text)
        }
        #expect(error?.reason == "has more than 100000 nodes")
    }

    @Test(arguments: [
        ("/nonexistent/apus.yaml", "cannot be read: no such file or directory"),
        ("/", "cannot be read: is a directory"),
        ("/dev/zero", "cannot be read: it is larger than 1048576 bytes"),
    ])
    func `a file that cannot be read is named with the reason`(path: String, reason: String) {
        let error = #expect(throws: ConfigurationError.self) {
            try ServerConfiguration.load(environment: ["APUS_CONFIG": path])
        }
        #expect(error.map { "\($0)" } == "config: '\(path)' (from environment APUS_CONFIG) \(reason)")
    }

    @Test(arguments: [
        ("", "yaml"), ("# only\n# comments\n", "yaml"), ("port:\ntopics:\n", "yaml"), ("{}", "json"), ("{}", "conf"),
        ("{\"port\": null, \"topics\": null}", "json"),
    ])
    func `a file may leave everything out`(text: String, suffix: String) throws {
        let loaded = try load(text, extension: suffix)
        #expect(loaded.configuration == ServerConfiguration())
        #expect(loaded.warnings.isEmpty)
    }

    @Test func `json and YAML say the same`() throws {
        let json = #"{"queue": 5, "heartbeat": 0.5, "api_keys": ["a,b", "c"], "topics": {"create_existing": "ok"}}"#
        let yaml = "queue: 5\nheartbeat: 500ms\napi_keys:\n  - a,b\n  - c\ntopics:\n  create_existing: ok\n"
        let configurations = try [(json, "json"), (json, "conf"), (json, "yaml"), (yaml, "yaml"), (yaml, "conf")]
            .map { text, suffix in try load(text, extension: suffix).configuration }
        #expect(configurations[0].access.apiKeys == ["a,b", "c"])
        #expect(configurations[0].timeouts.heartbeat == .milliseconds(500))
        #expect(configurations.allSatisfy { $0 == configurations[0] })
    }
}

@Suite struct QuantityTests {
    @Test(arguments: [
        ("0", 0), ("1048576", 1_048_576), ("5B", 5), ("64KiB", 65536), ("1MiB", 1_048_576), ("1GiB", 1 << 30),
        ("1kB", 1000), ("1KB", 1000), ("2MB", 2_000_000), ("3GB", 3_000_000_000),
    ])
    func `a size is read in its unit`(text: String, bytes: Int) {
        #expect(ByteSize.bytes(text) == bytes)
    }

    @Test(arguments: ["", "KiB", "-1", "1.5MiB", "1 MiB", "1M", "1mib", "1TiB", "9223372036854775807KiB", "1e6"])
    func `what is no size is refused`(text: String) {
        #expect(ByteSize.bytes(text) == nil)
    }

    @Test(arguments: [(0, "0"), (1000, "1000"), (1024, "1KiB"), (1 << 20, "1MiB"), (3 << 30, "3GiB"), (1536, "1536")])
    func `a size is shown in the largest unit that is exact`(bytes: Int, text: String) {
        #expect(ByteSize.text(bytes) == text)
        #expect(ByteSize.bytes(text) == bytes)
    }
}
