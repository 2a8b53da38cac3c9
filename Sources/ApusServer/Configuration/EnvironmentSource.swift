/// The settings in the environment.
struct EnvironmentSource {
    /// Variables of the other commands, and of this project's own scripts.
    private static let others = [
        "APUS_CONFIG", "APUS_CONTEXT", "APUS_URL", "APUS_CA", "APUS_CERT", "APUS_CERT_KEY", "APUS_BIN", "APUS_STRICT",
        "APUS_TALLY",
        "APUS_SEED", "APUS_BENCH", "APUS_FUZZ_DIR", "APUS_FUZZ_BUILD", "APUS_INSTRUMENTATION",
    ]
    /// The client commands' credentials. On a server without any, they may be there by mistake.
    static let clientKeys = ["APUS_API_KEY", "APUS_TOKEN"].flatMap { name in
        [name, name + EnvironmentVariables.fileSuffix]
    }
    /// How many names one warning lists.
    private static let shownNames = 5

    private let variables: EnvironmentVariables
    private(set) var values: [String: RawValue] = [:]
    /// The variable that a setting comes from, by the setting's key.
    private(set) var names: [String: String] = [:]
    /// The files that secrets come from.
    private(set) var files: [String] = []
    private(set) var warnings: [String] = []

    /// - Throws: ``ConfigurationError`` for a secret that is given twice, or in a file that cannot be read.
    init(_ variables: EnvironmentVariables, settings: [Setting]) throws(ConfigurationError) {
        self.variables = variables
        for setting in settings {
            if setting.environmentFileName != nil {
                try takeSecret(setting)
            } else {
                take(setting)
            }
        }
    }

    private mutating func take(_ setting: Setting) {
        for name in setting.environmentNames {
            guard let value = variables[name] else { continue }
            if let reason = ForeignVariable.reason(value, for: setting) {
                warnings.append("\(name)='\(PlainText.escaped(value, limit: 100))' is ignored: \(reason)")
                continue
            }
            values[setting.key] = .text(value)
            names[setting.key] = name
            return
        }
    }

    private mutating func takeSecret(_ setting: Setting) throws(ConfigurationError) {
        guard let name = setting.environmentNames.first,
            let (text, variable) = try variables.secret(name, setting: setting.key)
        else { return }
        // In a file, the values are separated by line ends or commas.
        let lines = text.split(omittingEmptySubsequences: false) { $0 == "," || $0.isNewline }
        values[setting.key] = setting.isList && variable != name ? .list(lines.map(\.trimmed)) : .text(text)
        names[setting.key] = variable
        if variable != name, let path = variables[variable] { files.append(path) }
    }

    /// Warnings about unknown variables whose names start like the server's.
    ///
    /// - Parameter hasKeys: whether the server requires API keys.
    /// - Throws: ``ConfigurationError`` for a variable that may be a misspelled security setting.
    func unknownNames(hasKeys: Bool) throws(ConfigurationError) -> [String] {
        let known =
            Setting.all.flatMap(\.environmentNames) + Setting.all.compactMap(\.environmentFileName) + Self.others
        var warnings: [String] = []
        var links: [String] = []
        for name in variables.ownNames where !known.contains(name) {
            guard let value = variables[name], !(hasKeys && Self.clientKeys.contains(name)) else { continue }
            if ForeignVariable.isServiceLink(name, value: value) {
                links.append(name)
                continue
            }
            let source = "environment \(name)"
            let unknown = UnknownSetting(name: name, known: known, source: source)
            if let error = unknown.refusal(value: value) { throw error }
            warnings.append("unknown variable '\(unknown.shownName)' in the environment\(unknown.hint)")
        }
        if !links.isEmpty { warnings.append(Self.ignored(links)) }
        return warnings
    }

    private static func ignored(_ links: [String]) -> String {
        let shown = links.prefix(shownNames).joined(separator: ", ")
        let more = links.count > shownNames ? " and \(links.count - shownNames) more" : ""
        return
            "\(PlainText.escaped(shown))\(more): ignored, as Kubernetes sets these for a service called like the server"
            + " (`enableServiceLinks: false` in the pod turns them off)"
    }
}
