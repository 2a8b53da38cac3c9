/// The environment as every command reads it. An empty variable counts as not set, and surrounding white space is
/// removed from values.
package struct EnvironmentVariables: Sendable {
    /// The prefix of the project's own variables.
    static let prefix = "APUS_"
    /// The suffix of a variable that contains the path of a file with a secret.
    package static let fileSuffix = "_FILE"

    private let values: [String: String]

    package init(_ environment: [String: String]) {
        // Keep a variable that has only white space: a missing key must not count as authentication turned off.
        values = environment.filter { !$0.value.isEmpty }.mapValues(\.trimmed)
    }

    package subscript(name: String) -> String? { values[name] }

    /// The names that start with ``prefix``, ignoring case and dashes, sorted.
    var ownNames: [String] {
        values.keys.filter { SettingName.uniform($0).hasPrefix(SettingName.uniform(Self.prefix)) }.sorted()
    }

    /// Reads a secret: the variable's value, or the contents of the file that `NAME_FILE` names.
    ///
    /// - Parameter setting: the setting's name, for error messages.
    /// - Returns: the secret, and the name of the variable it comes from; `nil` if neither variable is set.
    /// - Throws: ``ConfigurationError`` if both variables are set, or if the file cannot be read.
    package func secret(
        _ name: String,
        setting: String
    ) throws(ConfigurationError) -> (text: String, variable: String)? {
        let variable = name + Self.fileSuffix
        guard let path = self[variable] else { return self[name].map { ($0, name) } }
        func unusable(_ reason: String) -> ConfigurationError {
            ConfigurationError(
                code: .unusableFile,
                setting: setting,
                value: path,
                source: "environment \(variable)",
                reason: reason
            )
        }
        guard self[name] == nil else { throw unusable("cannot be used together with \(name)") }
        do throws(FileFault) {
            var text = try FileText.read(path, limit: FileText.secretLimit)
            // Remove the newline that editors and echo(1) append. A carriage return with a line feed is one character.
            if text.last?.isNewline == true { text.removeLast() }
            return (text, variable)
        } catch {
            throw unusable("cannot be read: \(error.reason)")
        }
    }
}
