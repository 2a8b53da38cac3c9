/// Why a configuration cannot be used, in one line that names the setting, its value and where that came from.
public struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What kind of fault it is.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private enum Base: String {
            case invalidValue
            case conflict
            case unusableFile
            case unknownSetting
        }

        private let base: Base

        /// The value is not one of those that the setting takes.
        public static let invalidValue = Code(base: .invalidValue)
        /// The value is fine, but not together with another setting's.
        public static let conflict = Code(base: .conflict)
        /// A file of settings, or of a secret, cannot be read or understood.
        public static let unusableFile = Code(base: .unusableFile)
        /// There is no such setting, but one that protects the server may have been meant.
        public static let unknownSetting = Code(base: .unknownSetting)

        public var description: String { base.rawValue }
    }

    public let code: Code
    /// The key of the setting, as in a file: `topics.on_delete`.
    public let setting: String
    /// The value as it was given; nil where it is secret.
    public let value: String?
    /// Where the value came from, `flag --port` for one; nil where only the embedding program knows.
    public let source: String?
    /// What is wrong, to follow the value: `is not a whole number from 0 to 65535`.
    public let reason: String

    public var description: String {
        // Control characters would let a value rewrite the terminal it is shown on.
        let shown = value.map { "'\(PlainText.escaped($0, limit: 200))'" } ?? "the value"
        let origin = source.map { " (from \(PlainText.escaped($0)))" } ?? ""
        return "\(PlainText.escaped(setting, limit: 100)): \(shown)\(origin) \(reason)"
    }
}
