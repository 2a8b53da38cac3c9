import ApusServer
import ArgumentParser
import Foundation

/// Every server setting as a flag, for the commands that need the server's configuration.
///
/// All flags are text, so an invalid value is a configuration error, with the same exit code and message for every
/// source.
struct ServerOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("A JSON or YAML file of settings. (env: APUS_CONFIG; default: none)", valueName: "file"),
        completion: .file()
    )
    var config: String?

    @Option(name: .setting("host"), help: .setting("host", "address"))
    var host: String?
    @Option(name: .setting("port"), help: .setting("port", "number"))
    var port: String?
    @Option(name: .setting("listen"), help: .setting("listen", "address"))
    var listen: [String] = []
    @Option(name: .setting("socket_mode"), help: .setting("socket_mode", "mode"))
    var socketMode: String?
    @Option(name: .setting("base_path"), help: .setting("base_path", "path"))
    var basePath: String?
    @Option(name: .setting("threads"), help: .setting("threads", "count"))
    var threads: String?
    @Option(name: .setting("log_level"), help: .setting("log_level", "level"))
    var logLevel: String?
    @Option(name: .setting("log_format"), help: .setting("log_format", "format"))
    var logFormat: String?
    @Option(name: .setting("api_keys"), help: .setting("api_keys", "key"))
    var apiKey: [String] = []
    @Option(name: .setting("history"), help: .setting("history", "count"))
    var history: String?
    @Option(name: .setting("topic_bytes"), help: .setting("topic_bytes", "size"))
    var topicBytes: String?
    @Option(name: .setting("loop_lag"), help: .setting("loop_lag", "count"))
    var loopLag: String?
    @Option(name: .setting("loop_lag_bytes"), help: .setting("loop_lag_bytes", "size"))
    var loopLagBytes: String?
    @Option(name: .setting("queue"), help: .setting("queue", "count"))
    var queue: String?
    @Option(name: .setting("overflow"), help: .setting("overflow", "policy"))
    var overflow: String?
    @Option(name: .setting("throttle_timeout"), help: .setting("throttle_timeout", "time"))
    var throttleTimeout: String?
    @Option(name: .setting("compression"), help: .setting("compression", "switch"))
    var compression: String?
    @Option(name: .setting("compression_min_size"), help: .setting("compression_min_size", "size"))
    var compressionMinSize: String?
    @Option(name: .setting("compression_level"), help: .setting("compression_level", "level"))
    var compressionLevel: String?
    @Option(name: .setting("ping_interval"), help: .setting("ping_interval", "time"))
    var pingInterval: String?
    @Option(name: .setting("pong_timeout"), help: .setting("pong_timeout", "time"))
    var pongTimeout: String?
    @Option(name: .setting("heartbeat"), help: .setting("heartbeat", "time"))
    var heartbeat: String?
    @Option(name: .setting("handshake_timeout"), help: .setting("handshake_timeout", "time"))
    var handshakeTimeout: String?
    @Option(name: .setting("auth_timeout"), help: .setting("auth_timeout", "time"))
    var authTimeout: String?
    @Option(name: .setting("idle_timeout"), help: .setting("idle_timeout", "time"))
    var idleTimeout: String?
    @Option(name: .setting("close_timeout"), help: .setting("close_timeout", "time"))
    var closeTimeout: String?
    @Option(name: .setting("drain_timeout"), help: .setting("drain_timeout", "time"))
    var drainTimeout: String?
    @Option(name: .setting("max_message"), help: .setting("max_message", "size"))
    var maxMessage: String?
    @Option(name: .setting("max_depth"), help: .setting("max_depth", "count"))
    var maxDepth: String?
    @Option(name: .setting("max_client_id"), help: .setting("max_client_id", "size"))
    var maxClientID: String?
    @Option(name: .setting("max_connections"), help: .setting("max_connections", "count"))
    var maxConnections: String?
    @Option(name: .setting("max_subscriptions"), help: .setting("max_subscriptions", "count"))
    var maxSubscriptions: String?
    @Option(name: .setting("max_topics"), help: .setting("max_topics", "count"))
    var maxTopics: String?
    @Option(name: .setting("max_matches"), help: .setting("max_matches", "count"))
    var maxMatches: String?
    @Option(name: .setting("max_queue"), help: .setting("max_queue", "count"))
    var maxQueue: String?
    @Option(name: .setting("max_batch"), help: .setting("max_batch", "count"))
    var maxBatch: String?
    @Option(name: .setting("max_dedupe"), help: .setting("max_dedupe", "count"))
    var maxDedupe: String?
    @Option(name: .setting("max_series"), help: .setting("max_series", "count"))
    var maxSeries: String?
    @Option(name: .setting("reconnect_rate"), help: .setting("reconnect_rate", "count"))
    var reconnectRate: String?
    @Option(name: .setting("release_memory_after"), help: .setting("release_memory_after", "time"))
    var releaseMemoryAfter: String?
    @Option(name: .setting("live_timeout"), help: .setting("live_timeout", "time"))
    var liveTimeout: String?
    @Option(name: .setting("topics.create_existing"), help: .setting("topics.create_existing", "answer"))
    var topicsCreateExisting: String?
    @Option(name: .setting("topics.on_delete"), help: .setting("topics.on_delete", "action"))
    var topicsOnDelete: String?
    @Option(name: .setting("topics.create_on"), help: .setting("topics.create_on", "commands"))
    var topicsCreateOn: String?
    @Option(name: .setting("topics.declare"), help: .setting("topics.declare", "json"))
    var topicsDeclare: String?

    /// The given flags' values by the setting's key.
    var flags: [String: [String]] {
        let texts: [(key: String, text: String?)] = [
            ("host", host), ("port", port), ("socket_mode", socketMode), ("base_path", basePath), ("threads", threads),
            ("log_level", logLevel), ("log_format", logFormat),
            ("history", history), ("topic_bytes", topicBytes), ("loop_lag", loopLag),
            ("loop_lag_bytes", loopLagBytes), ("queue", queue), ("overflow", overflow),
            ("throttle_timeout", throttleTimeout), ("compression", compression),
            ("compression_min_size", compressionMinSize), ("compression_level", compressionLevel),
            ("ping_interval", pingInterval), ("pong_timeout", pongTimeout),
            ("heartbeat", heartbeat), ("handshake_timeout", handshakeTimeout), ("auth_timeout", authTimeout),
            ("idle_timeout", idleTimeout), ("close_timeout", closeTimeout), ("drain_timeout", drainTimeout),
            ("max_message", maxMessage), ("max_depth", maxDepth), ("max_client_id", maxClientID),
            ("max_connections", maxConnections), ("max_subscriptions", maxSubscriptions), ("max_topics", maxTopics),
            ("max_matches", maxMatches), ("max_queue", maxQueue), ("max_batch", maxBatch), ("max_dedupe", maxDedupe),
            ("max_series", maxSeries), ("reconnect_rate", reconnectRate), ("live_timeout", liveTimeout),
            ("release_memory_after", releaseMemoryAfter),
            ("topics.create_existing", topicsCreateExisting), ("topics.on_delete", topicsOnDelete),
            ("topics.create_on", topicsCreateOn), ("topics.declare", topicsDeclare),
        ]
        var flags = ["api_keys": apiKey, "listen": listen]
        for (key, text) in texts {
            flags[key] = text.map { [$0] }
        }
        return flags
    }

    /// Loads the configuration from these flags, the environment and the file. If it is invalid, prints the reason and
    /// exits with code 78.
    func load() throws -> LoadedConfiguration {
        do throws(ConfigurationError) {
            return try ServerConfiguration.load(
                flags: flags,
                environment: ProcessInfo.processInfo.environment,
                file: config
            )
        } catch {
            StandardError.write("apus: \(error)\n")
            throw ExitCode.badConfiguration
        }
    }
}

extension Setting {
    /// The setting with a key. This file names only existing keys, which a test checks.
    fileprivate static func row(_ key: String) -> Setting {
        guard let setting = all.first(where: { $0.key == key }) else { preconditionFailure("no setting \(key)") }
        return setting
    }
}

extension NameSpecification {
    fileprivate static func setting(_ key: String) -> NameSpecification {
        .customLong(Setting.row(key).flag)
    }
}

extension ArgumentHelp {
    /// The help text from the table of settings, with the environment variable and the default.
    fileprivate static func setting(_ key: String, _ valueName: String) -> ArgumentHelp {
        let setting = Setting.row(key)
        let variable = setting.environmentNames.first ?? ""
        return ArgumentHelp(
            "\(setting.summary) (env: \(variable); default: \(setting.defaultText))",
            valueName: valueName
        )
    }
}
