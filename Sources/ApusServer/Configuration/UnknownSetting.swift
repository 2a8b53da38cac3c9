/// A name in a source of settings that no setting has.
struct UnknownSetting {
    private let name: String
    /// The names that there are.
    private let known: [String]
    private let source: String
    /// The one of them that may have been meant.
    private let nearest: String?

    init(name: String, known: [String], source: String) {
        self.name = name
        self.known = known
        self.source = source
        // Of what is deeper than any setting the last name is the one to go by.
        let last = name.split(separator: ".").last.map(String.init) ?? name
        nearest = SettingName.nearest(to: name, among: known) ?? SettingName.nearest(to: last, among: known)
    }

    /// What is below it in a file.
    func member(_ member: String) -> UnknownSetting {
        UnknownSetting(name: "\(name).\(member)", known: known, source: source)
    }

    var shownName: String { PlainText.escaped(name, limit: 100) }

    /// The name that may have been meant, to follow what is said.
    var hint: String { nearest.map { "; did you mean '\($0)'?" } ?? "" }

    /// Why the server does not start in spite of it; nil where it may.
    ///
    /// - Parameter value: nil where there is more than one, of which one may be a secret.
    func refusal(value: String?) -> ConfigurationError? {
        guard let protection = SettingName.protection(by: name) ?? nearest.flatMap(SettingName.protection) else {
            return nil
        }
        return ConfigurationError(
            code: .unknownSetting,
            setting: name,
            value: protection == .secret ? nil : value,
            source: source,
            reason: "is not passed over: there is no such setting, but it resembles a \(protection.rawValue)\(hint)"
        )
    }
}
