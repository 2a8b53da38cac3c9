import ApusBroker
import Configuration
import Foundation
import Logging
import Testing

@testable import ApusServer

@Suite struct ConfigurationTests {
    static let repository = URL(filePath: #filePath).appending(path: "../../..").standardized

    @Test func `the first of flag environment file and default wins`() throws {
        let flags = ["port": ["1"]]
        let environment = ["APUS_PORT": "2"]
        func port(_ flags: [String: [String]], _ environment: [String: String], _ file: String?) throws -> [String] {
            let loaded = try ServerConfiguration.load(flags: flags, environment: environment, file: file)
            return ["\(loaded.configuration.port)", loaded.sources["port"] ?? ""]
        }
        try withFile("port: 3") { (file: String) throws in
            #expect(try port(flags, environment, file) == ["1", "flag --port"])
            #expect(try port([:], environment, file) == ["2", "environment APUS_PORT"])
            #expect(try port([:], [:], file) == ["3", "file \(file):1"])
            #expect(try port([:], ["APUS_CONFIG": file], nil) == ["3", "file \(file):1"])
            #expect(try port([:], ["APUS_CONFIG": "/nonexistent"], file) == ["3", "file \(file):1"])
        }
        #expect(try port([:], [:], nil) == ["8080", "default"])
    }

    @Test func `without anything the configuration is the default`() throws {
        #expect(try ServerConfiguration.load(environment: [:]).configuration == ServerConfiguration())
    }

    @Test func `the table has every setting once`() {
        let properties = Self.properties(of: ServerConfiguration())
        #expect(Setting.all.count == properties)
        #expect(Set(Setting.all.map(\.key)).count == properties)
        #expect(Set(Setting.all.map(\.flag)).count == properties)
        #expect(Set(Setting.all.flatMap(\.environmentNames)).count == properties + 14)
    }

    /// Counts a configuration's properties, with those of its groups.
    private static func properties(of group: Any) -> Int {
        Mirror(reflecting: group).children.reduce(0) { count, child in
            let mirror = Mirror(reflecting: child.value)
            let isGroup =
                mirror.displayStyle == .struct
                && String(reflecting: mirror.subjectType).hasPrefix("ApusServer.ServerConfiguration.")
            return count + (isGroup ? properties(of: child.value) : 1)
        }
    }

    @Test(arguments: [
        ("host", ["APUS_HOST", "PUBSUB_HOST", "HOST"]),
        ("port", ["APUS_PORT", "PUBSUB_PORT", "PORT"]),
        ("log_level", ["APUS_LOG_LEVEL", "PUBSUB_LOG_LEVEL", "LOG_LEVEL"]),
        ("queue", ["APUS_QUEUE", "PUBSUB_MAX_QUEUE_SIZE", "MAX_QUEUE_SIZE", "MAX_SUBSCRIBER_QUEUE_SIZE"]),
        ("ping_interval", ["APUS_PING_INTERVAL", "PUBSUB_WS_PING_INTERVAL"]),
        ("pong_timeout", ["APUS_PONG_TIMEOUT", "PUBSUB_WS_PING_TIMEOUT"]),
        ("history", ["APUS_HISTORY", "PUBSUB_HISTORY_SIZE", "MAX_MESSAGES", "TOPIC_HISTORY_SIZE"]),
    ])
    func `of the names in the environment the first that is set wins`(key: String, names: [String]) throws {
        let values =
            [
                "host": ["a", "b", "c"], "log_level": ["error", "debug", "trace"],
                "ping_interval": ["1s", "2s"], "pong_timeout": ["1s", "2s"],
            ][key] ?? ["1", "2", "3", "4"]
        for start in names.indices {
            let environment = Dictionary(uniqueKeysWithValues: zip(names[start...], values[start...]))
            let loaded = try ServerConfiguration.load(environment: environment)
            let setting = try #require(Setting.named(key))
            #expect(setting.show(loaded.configuration).plain == values[start])
            #expect(loaded.sources[key] == "environment \(names[start])")
        }
    }

    @Test func `an empty variable counts as not set`() throws {
        let loaded = try ServerConfiguration.load(
            environment: ["APUS_PORT": "", "PORT": "7", "APUS_CONFIG": "", "APUS_API_KEYS": ""])
        #expect(loaded.configuration.port == 7)
        #expect(loaded.sources["api_keys"] == "default")
    }

    /// One value for each setting that is not its default.
    static let others: [String: String] = [
        "host": "::1", "port": "1", "listen": "unix:/run/s,[::1]:0", "socket_mode": "0600", "base_path": "/apus",
        "console": "off", "max_consoles": "0",
        "tls.certificate": "/etc/tls.crt", "tls.key": "tls.key", "tls.client_ca": "ca.pem", "tls.ticket_keys": "/run/t",
        "tls.more": #"[{"certificate":"a.pem","key":"a.key"},{"certificate":"b.pem","key":"b.key"}]"#,
        "threads": "3", "log_level": "WARN", "log_format": "json", "api_keys": "a,b",
        "keys": #"[{"id":"a","key":"k","rights":[{"actions":["publish"],"topics":["a.>"]}]}]"#,
        "keys_file": "keys.yaml",
        "anonymous": #"[{"actions":["*"],"topics":["a"]},{"deny":true,"actions":["publish"],"topics":["a"]}]"#,
        "tokens.keys": #"[{"kid":"a","alg":"HS256","secret":"12345678901234567890123456789012"}]"#,
        "tokens.jwks_file": "/etc/jwks.json", "tokens.jwks_url": "https://a.example/jwks", "tokens.issuer": "i",
        "tokens.audience": "a,b", "tokens.claim": "rights", "token_leeway": "0", "token_max_age": "1h",
        "token_grace": "0", "jwks_ttl": "1m",
        "trusted_proxies": "10.0.0.0/8,fd00::1,unix", "proxy_protocol": "on", "connections_per_address": "9",
        "allowed_origins": "https://a.example,*", "allowed_hosts": "a.example,b",
        "history": "0", "topic_bytes": "1GiB", "loop_lag": "100", "release_memory_after": "1m",
        "loop_lag_bytes": "64KiB",
        "queue": "5", "overflow": "throttle", "subscriber_throttle": "off", "throttle_timeout": "0",
        "ping_interval": "1.5", "pong_timeout": "2m", "heartbeat": "0s", "handshake_timeout": "1h",
        "auth_timeout": "50ms",
        "idle_timeout": "0", "close_timeout": "1s", "drain_timeout": "0", "max_message": "64KiB", "max_depth": "1024",
        "max_client_id": "36", "max_connections": "1", "max_subscriptions": "2", "max_topics": "3",
        "max_matches": "4", "max_queue": "5", "max_batch": "6", "max_dedupe": "7", "max_series": "100",
        "max_memory": "50%",
        "reconnect_rate": "8", "live_timeout": "1s",
        "command_rate": "100", "command_burst": "1000", "publish_rate": "30/m", "publish_burst": "7",
        "publish_bytes_rate": "1MiB/h", "publish_bytes_burst": "2MiB", "topic_rate": "1/h", "topic_burst": "3",
        "data": "/srv/apus", "data_bytes": "10GiB", "commit_backlog": "1MiB", "history_memory": "2MiB",
        "nats": "nats://a:4222,nats://b:4222", "nats_creds": "/etc/apus.creds", "nats_ca": "/etc/nats.pem",
        "nats_prefix": "chat", "nats_node": "shop-1",
        "nats_replicas": "1", "nats_unsafe_sync": "true", "nats_sync_always": "true",
        "nats_mirror": "interest",
        "compression": "off", "compression_min_size": "1KiB", "compression_level": "9",
        "tracing.endpoint": "http://127.0.0.1:4318/v1/traces", "tracing.headers": "A=b,C=d", "tracing.sample": "0.25",
        "tracing.service_name": "shop", "tracing.queue": "7",
        "topics.create_existing": "ok", "topics.on_delete": "disconnect", "topics.create_on": "publish",
        "topics.declare":
            #"[{"name":"a","history":5,"ttl":"1h"},{"name":"b.c","queue":null,"topic_rate":"30/m","topic_burst":9}]"#,
    ]

    @Test(arguments: Setting.all.map(\.key))
    func `a setting can be set from everywhere and changes only itself`(key: String) throws {
        let setting = try #require(Setting.named(key))
        let text = try #require(Self.others[key])
        let inEnvironment = try ServerConfiguration.load(environment: [setting.environmentNames[0]: text])
        let inFile = try load("\(key): '\(text)'")
        let flags = [key: setting.isList ? text.split(separator: ",").map(String.init) : ["x", text]]
        let inFlag = try ServerConfiguration.load(flags: flags, environment: [:])
        #expect(inEnvironment.configuration == inFile.configuration)
        #expect(inEnvironment.configuration == inFlag.configuration)
        for other in Setting.all {
            let isDefault = other.reveal(inFlag.configuration) == other.reveal(ServerConfiguration())
            #expect(isDefault == (other.key != key))
            #expect((inFlag.sources[other.key] == "default") == isDefault)
        }
    }

    @Test func `values of any type come from any provider`() throws {
        let reader = ConfigReader(
            provider: InMemoryProvider(values: [
                ["port"]: 9000, ["heartbeat"]: 0.5, ["ping_interval"]: 10.0, ["queue"]: "7", ["max_message"]: "2KiB",
                ["api_keys"]: .init(.stringArray(["a", "b"]), isSecret: true), ["topics", "on_delete"]: "disconnect",
            ])
        )
        let configuration = try ServerConfiguration(config: reader)
        #expect(configuration.port == 9000)
        #expect(configuration.timeouts.heartbeat == .milliseconds(500))
        #expect(configuration.timeouts.pingInterval == .seconds(10))
        #expect(configuration.delivery.queue == 7)
        #expect(configuration.limits.maxMessage == 2048)
        #expect(configuration.access.apiKeys == ["a", "b"])
        #expect(configuration.topics.onDelete == .disconnect)
    }

    @Test func `a reader may be scoped and its variables are the servers own`() throws {
        let provider = EnvironmentVariablesProvider(environmentVariables: [
            "APUS_PORT": "1", "APUS_TOPICS_CREATE_EXISTING": "ok", "APUS_API_KEYS": "a, b",
        ])
        let configuration = try ServerConfiguration(config: ConfigReader(provider: provider).scoped(to: "apus"))
        #expect(configuration.port == 1)
        #expect(configuration.topics.createExisting == .ok)
        #expect(configuration.access.apiKeys == ["a", "b"])
    }

    @Test func `a wrong type from a provider is not passed over`() {
        for value in [ConfigValue(.bool(true), isSecret: false), .init(.intArray([1]), isSecret: false)] {
            let reader = ConfigReader(provider: InMemoryProvider(values: [["port"]: value]))
            #expect(throws: ConfigurationError.self) { try ServerConfiguration(config: reader) }
        }
    }

    @Test func `what is printed can be loaded again`() throws {
        // The keys are printed as stars.
        let shown = Setting.all.filter { !$0.isSecret }
        var flags: [String: [String]] = [:]
        for setting in shown {
            let text = try #require(Self.others[setting.key])
            flags[setting.key] = setting.isList ? text.split(separator: ",").map(String.init) : [text]
        }
        let loaded = try ServerConfiguration.load(flags: flags, environment: [:])
        let again = try load(loaded.yaml)
        #expect(again.configuration == loaded.configuration)
        #expect(again.warnings.isEmpty)
        let tree = try #require(JSONSerialization.jsonObject(with: Data(loaded.json.utf8)) as? [String: Any])
        let settings = try JSONSerialization.data(withJSONObject: #require(tree["settings"]))
        let fromJSON = try load(String(decoding: settings, as: UTF8.self), extension: "json")
        #expect(fromJSON.configuration == loaded.configuration)
        #expect((tree["sources"] as? [String: String]) == loaded.sources)
    }

    @Test func `printed lines name their sources`() throws {
        let loaded = try withFile("queue: 5") {
            try ServerConfiguration.load(
                flags: ["port": ["1"]],
                environment: ["PORT": "2", "MAX_MESSAGES": "3"],
                file: $0
            )
        }
        let file = try #require(loaded.sources["queue"])
        let lines = loaded.yaml.split(separator: "\n").map { $0.replacing(/\s+/, with: " ") }
        #expect(lines.contains("port: 1 # from flag --port"))
        #expect(lines.contains("history: 3 # from environment MAX_MESSAGES"))
        #expect(lines.contains("queue: 5 # from \(file)"))
        #expect(lines.contains("threads: 0 # from default"))
        #expect(lines.contains("topics:"))
        #expect(lines.contains(" on_delete: info # from default"))
    }

    @Test func `secrets are never shown`() throws {
        let loaded = try ServerConfiguration.load(flags: ["api_keys": ["s3cret"]], environment: [:])
        #expect(loaded.configuration.access.apiKeys == ["s3cret"])
        #expect(loaded.yaml.contains("api_keys: \"***\""))
        #expect(!loaded.yaml.contains("s3cret") && !loaded.json.contains("s3cret"))
        // The mask must not become a key that everybody knows.
        let masked = #expect(throws: ConfigurationError.self) { try load(loaded.yaml) }
        #expect(masked?.setting == "api_keys")
        for key in ["s3cret,", "s3cret,s3 cret", "s3cret,ü", "s3cret\n,"] {
            let error = #expect(throws: ConfigurationError.self) {
                try ServerConfiguration.load(environment: ["APUS_API_KEYS": key + ",,"])
            }
            #expect(error?.value == nil)
            #expect(
                error.map { "\($0)".hasPrefix("api_keys: the value (from environment APUS_API_KEYS) has ") } == true
            )
            #expect(error.map { "\($0)".contains("cret") } == false)
        }
    }

    @Test func `every setting is documented with its names and its default`() throws {
        let file = Self.repository.appending(path: "docs/configuration.md")
        guard let text = try? String(contentsOf: file, encoding: .utf8) else { return }
        for setting in Setting.all {
            let row = text.split(separator: "\n").first { $0.hasPrefix("| `\(setting.key)` | `--\(setting.flag)`") }
            let documented = try #require(row, "docs/configuration.md has no row for \(setting.key)")
            for name in setting.environmentNames {
                #expect(documented.contains("`\(name)`"), "docs/configuration.md does not name \(name)")
            }
            if let name = setting.environmentFileName { #expect(documented.contains("`\(name)`")) }
            let column = documented.split(separator: "|").map { $0.filter { $0 != "`" }.trimmed }[3]
            let shown = setting.key == "threads" ? "cores" : setting.defaultText
            #expect(column.hasPrefix(shown.isEmpty ? "none" : shown), "docs/configuration.md: \(setting.key)")
        }
    }

    @Test(arguments: ["r0", "r1", "r2", "r3", "r4"])
    func `the reference configurations load without warnings`(name: String) throws {
        let path = Self.repository.appending(path: "Configurations/\(name).yaml").path
        #expect(try ServerConfiguration.load(environment: [:], file: path).warnings.isEmpty)
    }
}

/// Gives `body` the path of a file, which is gone afterwards.
func withFile<Value>(
    _ text: String,
    extension suffix: String = "yaml",
    _ body: (String) throws -> Value
) throws -> Value {
    let path = FileManager.default.temporaryDirectory.appending(path: "apus-\(UUID()).\(suffix)").path
    try text.write(toFile: path, atomically: false, encoding: .utf8)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try body(path)
}

/// What a server would make of a file of this text and nothing else.
func load(_ text: String, extension suffix: String = "yaml") throws -> LoadedConfiguration {
    try withFile(text, extension: suffix) { try ServerConfiguration.load(environment: [:], file: $0) }
}
