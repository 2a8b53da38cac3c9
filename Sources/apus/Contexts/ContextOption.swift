import ArgumentParser

/// `--context`: a server that `apus context` keeps. The same for every command that talks to one.
struct ContextOption: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A server that `apus context add` keeps, with its credential. (env: APUS_CONTEXT)",
            valueName: "name"
        ),
        completion: Completion.contexts
    )
    var context: String?

    /// Where to look for what the flags do not say, the first place first.
    ///
    /// A context that the flag names is in the environment's place. Another one (of `APUS_CONTEXT`, or the one in use)
    /// comes after it, and does not count for a server that is named otherwise: its credential is for its own server.
    ///
    /// - Parameter url: the server that a flag names.
    func layers(url: String?) throws -> [SettingsLayer] {
        let variables = ConnectionOptions.variables
        if let context { return [try Self.named(context), .authorities(variables)] }
        let environment = SettingsLayer(variables)
        guard url == nil, environment.url == nil, let ambient = try Self.ambient() else { return [environment] }
        return [environment, ambient]
    }

    /// The context that the flag names.
    static func named(_ name: String) throws -> SettingsLayer {
        SettingsLayer(try ContextFile.ofUser().context(name, from: "--context", exitCode: .usage), name: name)
    }

    private static func ambient() throws -> SettingsLayer? {
        if let name = ConnectionOptions.environment("APUS_CONTEXT") {
            let file = try ContextFile.ofUser()
            return SettingsLayer(try file.context(name, from: "APUS_CONTEXT", exitCode: .badConfiguration), name: name)
        }
        guard let file = try ContextFile.ofUserIfAny(), let name = file.current else { return nil }
        return SettingsLayer(try file.context(name, from: file.path, exitCode: .badConfiguration), name: name)
    }
}
