/// The environment as every command reads it: a variable that is empty is not set, and white space around a value is no
/// part of it.
package struct EnvironmentVariables: Sendable {
    /// What the names of our own begin with.
    static let prefix = "APUS_"
    /// Ends the name of a variable that has the path of a file in place of a secret.
    package static let fileSuffix = "_FILE"

    private let values: [String: String]

    package init(_ environment: [String: String]) {
        // One of white space alone stays: a key that is missing must not count as none asked for.
        values = environment.filter { !$0.value.isEmpty }.mapValues(\.trimmed)
    }

    package subscript(name: String) -> String? { values[name] }

    /// The names that begin with ``prefix``, as people write it, in order.
    var ownNames: [String] {
        values.keys.filter { SettingName.uniform($0).hasPrefix(SettingName.uniform(Self.prefix)) }.sorted()
    }

    /// A secret: the variable's value, or the contents of the file that `NAME_FILE` names.
    ///
    /// - Parameter setting: what the secret is, for a message.
    /// - Returns: the secret, with the name of the variable that it comes from; nil where neither is set.
    /// - Throws: where both are set, and for a file that cannot be read.
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
            // The one that every editor, and echo(1), puts at the end. A carriage return and a line feed are one
            // character.
            if text.last?.isNewline == true { text.removeLast() }
            return (text, variable)
        } catch {
            throw unusable("cannot be read: \(error.reason)")
        }
    }
}
