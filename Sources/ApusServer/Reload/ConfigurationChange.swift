/// What another configuration changes in a running server.
struct ConfigurationChange: Sendable {
    /// A setting whose new value needs a restart.
    struct Postponed: Sendable, Equatable {
        let key: String
        /// The value in force and the new one, with secrets masked.
        let running: String
        let configured: String
        /// The source of the new value.
        let source: String
    }

    /// The running configuration with the new values of all reloadable settings.
    let next: ServerConfiguration
    /// The keys of the reloadable settings that have another value.
    let changed: [String]
    let postponed: [Postponed]

    /// The longest value in the log, in bytes.
    private static let shownValue = 200

    /// - Throws: ``ConfigurationError`` when the new values do not go together with those that stay, and when they
    ///   would open a server that asks for credentials.
    init(from running: ServerConfiguration, to loaded: LoadedConfiguration) throws(ConfigurationError) {
        var next = running
        var (changed, postponed): ([String], [Postponed]) = ([], [])
        for setting in Setting.all where !setting.isSame(running, loaded.configuration) {
            if setting.isReloadable {
                setting.copy(loaded.configuration, &next)
                changed.append(setting.key)
            } else {
                postponed.append(
                    Postponed(
                        key: setting.key,
                        running: PlainText.escaped(setting.show(running).plain, limit: Self.shownValue),
                        configured: PlainText.escaped(setting.show(loaded.configuration).plain, limit: Self.shownValue),
                        source: loaded.sources[setting.key] ?? "default"
                    )
                )
            }
        }
        do throws(ConfigurationError) {
            try next.checkConflicts(sources: loaded.sources)
        } catch {
            guard postponed.contains(where: { $0.key == error.setting }) else { throw error }
            throw error.adding("; its new value needs a restart")
        }
        guard running.access.isOpen || !next.access.isOpen else { throw Self.opening(loaded.sources) }
        guard running.isOpenToEverybody || !next.isOpenToEverybody else { throw Self.admitting(loaded.sources) }
        (self.next, self.changed, self.postponed) = (next, changed, postponed)
    }

    private static func admitting(_ sources: [String: String]) -> ConfigurationError {
        ConfigurationError(
            code: .conflict,
            setting: "tls.client_ca",
            value: "none",
            source: sources["tls.client_ca"],
            reason: """
                would open the server to clients without a certificate, as it asks for nothing else; only a restart \
                does that
                """
        )
    }

    /// A file that was cut while it was written looks like one without keys.
    private static func opening(_ sources: [String: String]) -> ConfigurationError {
        ConfigurationError(
            code: .conflict,
            setting: "api_keys",
            value: "none",
            source: sources["api_keys"],
            reason: """
                would open the server to everybody, as there are no other keys, tokens or rights for anonymous \
                clients; only a restart does that
                """
        )
    }
}
