/// Why a configuration cannot be used. The description is one line that names the setting, its value and its source.
public struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kind of error.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private enum Base: String {
            case invalidValue
            case conflict
            case unusableFile
            case unknownSetting
        }

        private let base: Base

        /// The setting does not accept the value.
        public static let invalidValue = Code(base: .invalidValue)
        /// The value is valid, but conflicts with another setting's value.
        public static let conflict = Code(base: .conflict)
        /// A file with settings or with a secret cannot be read or parsed.
        public static let unusableFile = Code(base: .unusableFile)
        /// There is no such setting, but the name may be a misspelled security setting.
        public static let unknownSetting = Code(base: .unknownSetting)

        public var description: String { base.rawValue }
    }

    public let code: Code
    /// The setting's key as in a file: `topics.on_delete`.
    public let setting: String
    /// The value as it was given; `nil` if it is secret.
    public let value: String?
    /// The source of the value, such as `flag --port`; `nil` if only the embedding program knows it.
    public let source: String?
    /// What is wrong, as a phrase that follows the value: `is not a whole number from 0 to 65535`.
    public let reason: String

    /// The same error with its source, as far as a list of sources by setting knows it.
    package func naming(_ sources: [String: String]) -> ConfigurationError {
        ConfigurationError(
            code: code,
            setting: setting,
            value: value,
            source: source ?? sources[setting],
            reason: reason
        )
    }

    /// The same error with more at the end of its reason.
    func adding(_ more: String) -> ConfigurationError {
        ConfigurationError(code: code, setting: setting, value: value, source: source, reason: reason + more)
    }

    public var description: String {
        // Escape control characters, so that a value cannot manipulate the terminal.
        let shown = value.map { "'\(PlainText.escaped($0, limit: 200))'" } ?? "the value"
        let origin = source.map { " (from \(PlainText.escaped($0)))" } ?? ""
        return "\(PlainText.escaped(setting, limit: 100)): \(shown)\(origin) \(reason)"
    }
}
