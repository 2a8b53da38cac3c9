import Configuration

/// A configuration and where each of its settings comes from.
public struct LoadedConfiguration: Sendable {
    public let configuration: ServerConfiguration
    /// By the key of the setting: `flag --port`, `environment APUS_PORT`, `file apus.yaml` or `default`.
    public let sources: [String: String]
    /// What is suspicious without being wrong, one clause each; for the log.
    public let warnings: [String]
}

extension ServerConfiguration {
    /// Reads a configuration from flags, the environment and a file; the first of them that has a setting wins.
    ///
    /// Variables that are empty count as not set.
    /// - Parameters:
    ///   - flags: what was given, by the key of the setting. Of several values the last counts, but `api_keys` takes
    ///     all.
    ///   - file: a JSON or YAML file; when nil, that of `APUS_CONFIG`.
    /// - Throws: for a value that its setting does not take, and for a file that cannot be used.
    public static func load(
        flags: [String: [String]] = [:],
        environment: [String: String],
        file: String? = nil
    ) throws(ConfigurationError) -> LoadedConfiguration {
        let environment = environment.filter { !$0.value.isEmpty }
        var layers = [Layer(flags: flags), Layer(environment: environment)]
        var warnings: [String] = []
        let origin = file == nil ? "environment APUS_CONFIG" : "flag --config"
        if let path = file ?? environment["APUS_CONFIG"] {
            let contents = try ConfigurationFile(path: path, origin: origin)
            layers.append(Layer(name: "file", contents.values) { _ in "file \(path)" })
            warnings = contents.warnings
        }
        var sources: [String: String] = [:]
        for setting in Setting.all {
            sources[setting.key] = layers.lazy.compactMap { $0.sources[setting.key] }.first ?? "default"
        }
        let reader = ConfigReader(providers: layers.map(\.provider))
        let configuration = try ServerConfiguration(config: reader, sources: sources)
        return LoadedConfiguration(configuration: configuration, sources: sources, warnings: warnings)
    }
}

/// A provider that knows where each of its values comes from, which `ConfigReader` does not tell.
private struct Layer {
    let provider: InMemoryProvider
    let sources: [String: String]

    init(name: String, _ values: [String: RawValue], source: (Setting) -> String) {
        let settings = values.keys.compactMap(Setting.named)
        precondition(settings.count == values.count, "a value for a setting that does not exist")
        sources = Dictionary(uniqueKeysWithValues: settings.map { ($0.key, source($0)) })
        let pairs = settings.compactMap { setting in
            values[setting.key].map { raw in
                let content: ConfigContent =
                    switch raw {
                    case .text(let text): .string(text)
                    case .list(let texts): .stringArray(texts)
                    }
                return (AbsoluteConfigKey(ConfigKey(setting.key)), ConfigValue(content, isSecret: setting.isSecret))
            }
        }
        provider = InMemoryProvider(name: name, values: Dictionary(uniqueKeysWithValues: pairs))
    }

    init(flags: [String: [String]]) {
        let values = flags.compactMap { key, texts in
            texts.last.map { (key, Setting.named(key)?.isList == true ? RawValue.list(texts) : .text($0)) }
        }
        self.init(name: "flags", Dictionary(uniqueKeysWithValues: values)) { "flag --\($0.flag)" }
    }

    init(environment: [String: String]) {
        var values: [String: RawValue] = [:]
        var names: [String: String] = [:]
        for setting in Setting.all {
            guard let name = setting.environmentNames.first(where: { environment[$0] != nil }) else { continue }
            names[setting.key] = name
            values[setting.key] = environment[name].map { .text($0) }
        }
        self.init(name: "environment", values) { "environment \(names[$0.key] ?? "")" }
    }
}
