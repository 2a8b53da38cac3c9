import ApusProtocol
public import Configuration

extension ServerConfiguration {
    /// Reads a configuration. A setting that no provider has keeps its default.
    ///
    /// The keys are those of a file (`log_level`, `topics.on_delete`), below the scope of `config`. Values may have any
    /// type that a provider supports: `8080` and `"8080"`, `25` and `"25s"`, `["a", "b"]` and `"a,b"` are equivalent.
    /// - Throws: ``ConfigurationError`` for the first invalid value, and for values that conflict.
    public init(config: ConfigReader) throws(ConfigurationError) {
        try self.init(config: config, sources: [:])
    }

    /// - Parameters:
    ///   - settings: the settings to read.
    ///   - sources: the source of each value by the setting's key, for error messages.
    init(
        config: ConfigReader,
        settings: [Setting] = Setting.all,
        sources: [String: String]
    ) throws(ConfigurationError) {
        self.init()
        for setting in settings {
            guard let raw = RawValue(of: setting, in: config) else { continue }
            do throws(ValueFault) {
                try setting.apply(raw, &self)
            } catch {
                throw ConfigurationError(
                    code: .invalidValue,
                    setting: setting.key,
                    value: setting.isSecret ? nil : raw.description,
                    source: sources[setting.key],
                    reason: error.reason
                )
            }
        }
        try checkConflicts(sources: sources)
    }

    /// Checks values that depend on each other.
    ///
    /// - Parameter sources: the source of each value by the setting's key, for error messages.
    func checkConflicts(sources: [String: String]) throws(ConfigurationError) {
        try checkTogether(sources: sources)
        try checkDeclaredTopics(sources: sources)
    }

    private func checkDeclaredTopics(sources: [String: String]) throws(ConfigurationError) {
        func conflict(_ value: String, _ reason: String) -> ConfigurationError {
            ConfigurationError(
                code: .conflict,
                setting: "topics.declare",
                value: value,
                source: sources["topics.declare"],
                reason: reason
            )
        }
        let (count, maxTopics, maxQueue) = (topics.declared.count, limits.maxTopics, limits.maxQueue)
        guard count <= maxTopics else {
            throw conflict("\(count) topics", "are more than max_topics, which is \(maxTopics)")
        }
        for topic in topics.declared {
            guard case .some(.some(let queue)) = topic.settings.queue, queue > maxQueue else { continue }
            throw conflict(topic.name, "has a queue of \(queue), which is more than max_queue, \(maxQueue)")
        }
    }

    private func checkTogether(sources: [String: String]) throws(ConfigurationError) {
        let maxMessage = limits.maxMessage
        guard topics.bytes < maxMessage else { return }
        let origin = sources["max_message"].map { " (from \($0))" } ?? ""
        throw ConfigurationError(
            code: .conflict,
            setting: "topic_bytes",
            value: "\(topics.bytes)",
            source: sources["topic_bytes"],
            reason: "is less than max_message, which is \(maxMessage)\(origin): a topic could not keep one message"
        )
    }
}

extension RawValue {
    /// The value of a setting, whatever its type.
    ///
    /// A reader answers only for the requested type, and does not say whether it has a value of another type. So this
    /// asks for every type: text first, which environment, flags and YAML support for everything, and Boolean last,
    /// because the JSON provider converts every number to one.
    init?(of setting: Setting, in config: ConfigReader) {
        let key = ConfigKey(setting.key)
        let isSecret = setting.isSecret
        if let text = config.string(forKey: key, isSecret: isSecret) {
            self = .text(text)
        } else if let number = config.int(forKey: key, isSecret: isSecret) {
            self = .text("\(number)")
        } else if let number = config.double(forKey: key, isSecret: isSecret) {
            self = .text(Self.text(number))
        } else if let texts = config.stringArray(forKey: key, isSecret: isSecret) {
            self = .list(texts)
        } else if let numbers = config.intArray(forKey: key, isSecret: isSecret) {
            self = .list(numbers.map { "\($0)" })
        } else if let numbers = config.doubleArray(forKey: key, isSecret: isSecret) {
            self = .list(numbers.map(Self.text))
        } else if let flag = config.bool(forKey: key, isSecret: isSecret) {
            self = .text("\(flag)")
        } else if let flags = config.boolArray(forKey: key, isSecret: isSecret) {
            self = .list(flags.map { "\($0)" })
        } else if let bytes = config.bytes(forKey: key, isSecret: isSecret) {
            self = .text(String(decoding: bytes, as: UTF8.self))
        } else if let chunks = config.byteChunkArray(forKey: key, isSecret: isSecret) {
            self = .list(chunks.map { String(decoding: $0, as: UTF8.self) })
        } else {
            return nil
        }
    }

    /// `8080` for 8080.0.
    private static func text(_ number: Double) -> String {
        Int(exactly: number).map { "\($0)" } ?? "\(number)"
    }
}
