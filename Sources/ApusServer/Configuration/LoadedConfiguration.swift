import Configuration

/// A configuration and where each of its settings comes from.
public struct LoadedConfiguration: Sendable {
    public let configuration: ServerConfiguration
    /// By the key of the setting: `flag --port`, `environment APUS_PORT`, `file apus.yaml` or `default`.
    public let sources: [String: String]
    /// What is suspicious without being wrong, one clause each; for the log.
    public let warnings: [String]

    /// How many warnings there are at the most; the rest is counted.
    private static let maximumWarnings = 20

    fileprivate init(_ configuration: ServerConfiguration, sources: [String: String], warnings: [String]) {
        self.configuration = configuration
        self.sources = sources
        let more = warnings.count - Self.maximumWarnings
        self.warnings = warnings.prefix(Self.maximumWarnings) + (more > 0 ? ["\(more) more like these"] : [])
    }
}

extension ServerConfiguration {
    /// Reads a configuration from flags, the environment and a file; the first of them that has a setting wins.
    ///
    /// Variables that are empty count as not set.
    /// - Parameters:
    ///   - flags: what was given, by the key of the setting. Of several values the last counts, but a list takes all.
    ///   - file: a JSON or YAML file; when nil, that of `APUS_CONFIG`.
    /// - Throws: for a value that its setting does not take, for a file that cannot be used, and for a name that no
    ///   setting has and that resembles a secret or a limit.
    public static func load(
        flags: [String: [String]] = [:],
        environment: [String: String],
        file: String? = nil
    ) throws(ConfigurationError) -> LoadedConfiguration {
        let variables = EnvironmentVariables(environment)
        let sources = try ConfigurationSources(flags: flags, variables: variables, file: file, settings: Setting.all)
        let configuration = try sources.configuration
        let unknown = try sources.environment.unknownNames(hasKeys: !configuration.apiKeys.isEmpty)
        return LoadedConfiguration(
            configuration,
            sources: sources.names,
            warnings: sources.warnings + unknown + sources.unused(configuration)
        )
    }

    /// Where the server listens that the environment sets up on this machine, as far as that can be told from it.
    ///
    /// Other settings are not looked at: what is wrong with them is the server's business.
    /// - Throws: for a value that its setting does not take, and for a file that cannot be used.
    package static func place(in variables: EnvironmentVariables) throws(ConfigurationError) -> ServerConfiguration {
        try ConfigurationSources(
            flags: [:],
            variables: variables,
            file: nil,
            settings: ["host", "port", "listen", "base_path"].compactMap(Setting.named)
        ).configuration
    }
}

/// Flags, environment and file, in this order.
private struct ConfigurationSources {
    let environment: EnvironmentSource
    let warnings: [String]
    /// By the key of the setting.
    let names: [String: String]
    private let layers: [Layer]
    private let settings: [Setting]

    init(
        flags: [String: [String]],
        variables: EnvironmentVariables,
        file: String?,
        settings: [Setting]
    ) throws(ConfigurationError) {
        environment = try EnvironmentSource(variables, settings: settings)
        var layers = [Layer(flags: flags), Layer(environment: environment)]
        var warnings = environment.warnings
        let origin = file == nil ? "environment APUS_CONFIG" : "flag --config"
        if let path = file ?? variables["APUS_CONFIG"] {
            let contents = try ConfigurationFile(path: path, origin: origin)
            layers.append(Layer(name: "file", contents.values) { _ in "file \(path)" })
            warnings += contents.warnings
        }
        var names: [String: String] = [:]
        for setting in settings {
            names[setting.key] = layers.lazy.compactMap { $0.sources[setting.key] }.first ?? "default"
        }
        self.warnings = warnings
        self.names = names
        self.layers = layers
        self.settings = settings
    }

    var configuration: ServerConfiguration {
        get throws(ConfigurationError) {
            let reader = ConfigReader(providers: layers.map(\.provider))
            return try ServerConfiguration(config: reader, settings: settings, sources: names)
        }
    }

    /// What is to be said of settings that another one makes useless, where somebody may have meant it otherwise: given
    /// as flags, or a port that comes from a stronger source. An `APUS_HOST` that the container's image sets nobody
    /// means.
    func unused(_ configuration: ServerConfiguration) -> [String] {
        guard !configuration.listen.isEmpty else { return [] }
        return ["host", "port"].compactMap { key in
            guard let name = names[key], let own = rank(of: key), let other = rank(of: "listen"),
                own == 0 || (key == "port" && own < other)
            else { return nil }
            return "\(key) (from \(PlainText.escaped(name))) is not used, because listen is set"
        }
    }

    /// The place of the layer that has a setting: 0 for flags; nil where none has it.
    private func rank(of key: String) -> Int? {
        layers.firstIndex { $0.sources[key] != nil }
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

    init(environment: EnvironmentSource) {
        self.init(name: "environment", environment.values) { "environment \(environment.names[$0.key] ?? "")" }
    }
}
