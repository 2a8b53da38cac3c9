import Configuration

/// A configuration, and the source of each of its settings.
public struct LoadedConfiguration: Sendable {
    public let configuration: ServerConfiguration
    /// The source by the setting's key: `flag --port`, `environment APUS_PORT`, `file apus.yaml:3` (its line) or
    /// `default`.
    package let sources: [String: String]
    /// Warnings for the log, about values that are suspicious but valid. One clause each.
    public let warnings: [String]
    /// The files that it was read from and that it names, keys and secrets included.
    package let files: [String]

    /// The maximum number of warnings. Further warnings are only counted.
    private static let maximumWarnings = 20

    fileprivate init(
        _ configuration: ServerConfiguration,
        sources: [String: String],
        warnings: [String],
        files: [String]
    ) {
        self.configuration = configuration
        self.sources = sources
        self.files = files
        let more = warnings.count - Self.maximumWarnings
        self.warnings = warnings.prefix(Self.maximumWarnings) + (more > 0 ? ["\(more) more like these"] : [])
    }
}

extension ServerConfiguration {
    /// Reads a configuration from flags, the environment and a file. The first source that has a setting wins.
    ///
    /// Empty variables count as not set.
    /// - Parameters:
    ///   - flags: the given flags' values by the setting's key. The last value counts; a list takes all values.
    ///   - file: a JSON or YAML file. If `nil`, the file that `APUS_CONFIG` names.
    /// - Throws: ``ConfigurationError`` for an invalid value, for a file that cannot be used, and for an unknown name
    ///   that resembles a secret or a limit.
    public static func load(
        flags: [String: [String]] = [:],
        environment: [String: String],
        file: String? = nil
    ) throws(ConfigurationError) -> LoadedConfiguration {
        let variables = EnvironmentVariables(environment)
        let sources = try ConfigurationSources(flags: flags, variables: variables, file: file, settings: Setting.all)
        let configuration = try sources.configuration
        let unknown = try sources.environment.unknownNames(hasKeys: configuration.access.hasCredentials)
        return LoadedConfiguration(
            configuration,
            sources: sources.names,
            warnings: sources.warnings + unknown + sources.unused(configuration),
            files: sources.files + configuration.access.files + configuration.tls.files
        )
    }

    /// The address of the server that the environment configures on this machine, as far as the environment shows it.
    ///
    /// Other settings are ignored, because only the server needs them.
    /// - Throws: ``ConfigurationError`` for an invalid value, and for a file that cannot be used.
    package static func place(in variables: EnvironmentVariables) throws(ConfigurationError) -> ServerConfiguration {
        try ConfigurationSources(
            flags: [:],
            variables: variables,
            file: nil,
            settings: ["host", "port", "listen", "base_path", "tls.certificate"].compactMap(Setting.named)
        ).configuration
    }
}

/// The sources in order: flags, environment, file.
private struct ConfigurationSources {
    let environment: EnvironmentSource
    let warnings: [String]
    /// The source of each setting by its key, such as `flag --port`.
    let names: [String: String]
    /// The files with settings and secrets.
    let files: [String]
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
        var files = environment.files
        let origin = file == nil ? "environment APUS_CONFIG" : "flag --config"
        if let path = file ?? variables["APUS_CONFIG"] {
            let contents = try ConfigurationFile(path: path, origin: origin)
            layers.append(Layer(name: "file", contents.values) { contents.source(of: $0.key) })
            warnings += contents.warnings
            files.insert(path, at: 0)
        }
        var names: [String: String] = [:]
        for setting in settings {
            names[setting.key] = layers.lazy.compactMap { $0.sources[setting.key] }.first ?? "default"
        }
        self.warnings = warnings
        self.names = names
        self.files = files
        self.layers = layers
        self.settings = settings
    }

    var configuration: ServerConfiguration {
        get throws(ConfigurationError) {
            let reader = ConfigReader(providers: layers.map(\.provider))
            return try ServerConfiguration(config: reader, settings: settings, sources: names)
        }
    }

    /// Warnings about settings that another setting makes useless and that somebody may have meant: a flag, or a port
    /// from a stronger source. The `APUS_HOST` that the container image sets is not reported.
    func unused(_ configuration: ServerConfiguration) -> [String] {
        guard !configuration.listen.isEmpty else { return [] }
        return ["host", "port"].compactMap { key in
            guard let name = names[key], let own = rank(of: key), let other = rank(of: "listen"),
                own == 0 || (key == "port" && own < other)
            else { return nil }
            return "\(key) (from \(PlainText.escaped(name))) is not used, because listen is set"
        }
    }

    /// The index of the layer that has a setting, where flags are 0; `nil` if no layer has it.
    private func rank(of key: String) -> Int? {
        layers.firstIndex { $0.sources[key] != nil }
    }
}

/// A provider that also knows the source of each value, which `ConfigReader` does not report.
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
