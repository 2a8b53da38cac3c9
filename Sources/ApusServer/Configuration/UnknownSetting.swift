/// A name in a source that no setting has.
struct UnknownSetting {
    private let name: String
    /// The known names.
    private let known: [String]
    private let source: String
    /// The known name that may have been meant.
    private let nearest: String?

    init(name: String, known: [String], source: String) {
        self.name = name
        self.known = known
        self.source = source
        // For a name that is nested deeper than any setting, also compare its last part.
        let last = name.split(separator: ".").last.map(String.init) ?? name
        nearest = SettingName.nearest(to: name, among: known) ?? SettingName.nearest(to: last, among: known)
    }

    /// The unknown setting for a member below this one in a file.
    func member(_ member: String) -> UnknownSetting {
        UnknownSetting(name: "\(name).\(member)", known: known, source: source)
    }

    var shownName: String { PlainText.escaped(name, limit: 100) }

    /// A suggestion of the name that may have been meant, to append to a message.
    var hint: String { nearest.map { "; did you mean '\($0)'?" } ?? "" }

    /// What to do about a name that keeps the server from starting.
    private var advice: String {
        if EnvironmentSource.clientKeys.contains(name) {
            return "; it is the credential of client commands, so unset it here\(hint)"
        }
        return hint.isEmpty ? "; correct or remove it" : hint
    }

    /// The error that keeps the server from starting; `nil` if the name is harmless.
    ///
    /// - Parameter value: the value; `nil` if there are several, because one of them may be a secret.
    func refusal(value: String?) -> ConfigurationError? {
        guard let protection = SettingName.protection(by: name) ?? nearest.flatMap(SettingName.protection) else {
            return nil
        }
        return ConfigurationError(
            code: .unknownSetting,
            setting: name,
            value: protection == .secret ? nil : value,
            source: source,
            reason: "is for no setting, but looks like a \(protection.rawValue) that was meant to protect the server, "
                + "so it does not start while it is there\(advice)"
        )
    }
}
