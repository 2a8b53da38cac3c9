/// A row of the table of settings (``all``): its names, and how its values are parsed and shown.
///
/// Reading settings, `config print`, warnings about unknown keys, the flags' help and the documentation test all use
/// this table, so a new setting is added in one place.
package struct Setting: Sendable {
    /// The key as in a file. A dot separates levels of nesting.
    package let key: String
    /// The flag without its dashes.
    package let flag: String
    /// The environment variables. The first that is set wins.
    package let environmentNames: [String]
    package let summary: String
    package let isSecret: Bool
    let isList: Bool
    /// Whether a file may use lists and mappings as the value. They are read as JSON.
    var isStructured = false
    /// Stores a value in a configuration. Returns what is wrong with the value, or `nil`.
    let apply: @Sendable (RawValue, inout ServerConfiguration) -> String?
    /// The value, with secrets unmasked.
    let reveal: @Sendable (ServerConfiguration) -> DisplayValue

    /// For a secret: the variable with the path of a file that contains the value.
    package var environmentFileName: String? {
        isSecret ? environmentNames.first.map { $0 + EnvironmentVariables.fileSuffix } : nil
    }

    /// The value with secrets masked.
    func show(_ configuration: ServerConfiguration) -> DisplayValue {
        let value = reveal(configuration)
        return isSecret && value != .texts([]) ? .secret : value
    }

    /// The default for a help text.
    package var defaultText: String { show(ServerConfiguration()).plain }
}

/// A value as its source provides it.
enum RawValue: Sendable, Equatable {
    case text(String)
    case list([String])

    /// The elements of a list. A text separates them with commas.
    var elements: [String] {
        switch self {
        case .text(let text): text.split(separator: ",", omittingEmptySubsequences: false).map(\.trimmed)
        case .list(let texts): texts
        }
    }

    /// The value for error messages.
    var description: String {
        switch self {
        case .text(let text): text
        case .list(let texts): "[" + texts.joined(separator: ", ") + "]"
        }
    }
}

extension Setting {
    static func flag(_ key: String) -> String {
        String(key.map { $0 == "_" || $0 == "." ? "-" : $0 })
    }

    static func environmentNames(_ key: String, _ aliases: [String]) -> [String] {
        ["APUS_" + key.uppercased().map { $0 == "." ? "_" : String($0) }.joined()] + aliases
    }

    /// A setting with one value.
    static func one<Value>(
        _ key: String,
        _ path: any WritableKeyPath<ServerConfiguration, Value> & Sendable,
        _ form: ValueCodec<Value>,
        aliases: [String] = [],
        _ summary: String
    ) -> Setting {
        Setting(
            key: key,
            flag: flag(key),
            environmentNames: environmentNames(key, aliases),
            summary: summary,
            isSecret: false,
            isList: false,
            apply: { raw, configuration in
                guard case .text(let text) = raw, let value = form.read(text.trimmed) else {
                    return "is not \(form.expectation)"
                }
                configuration[keyPath: path] = value
                return nil
            },
            reveal: { form.show($0[keyPath: path]) }
        )
    }

    /// A list of addresses to listen at.
    static func addresses(
        _ key: String,
        _ path: any WritableKeyPath<ServerConfiguration, [ListenAddress]> & Sendable,
        _ summary: String
    ) -> Setting {
        Setting(
            key: key,
            flag: key,
            environmentNames: environmentNames(key, []),
            summary: summary,
            isSecret: false,
            isList: true,
            apply: { raw, configuration in
                let addresses = raw.elements.map { ListenAddress($0.trimmed) }
                // Port 0 may occur more than once.
                let fixed = addresses.compactMap(\.self).filter { $0.port != 0 }
                guard addresses.count <= ListenAddress.maximumCount, !addresses.contains(nil),
                    Set(fixed).count == fixed.count
                else {
                    return """
                        is not a list of at most \(ListenAddress.maximumCount) addresses, each of them once, such as \
                        127.0.0.1:8080, [::1]:8080 or unix:/run/apus.sock
                        """
                }
                configuration[keyPath: path] = addresses.compactMap(\.self)
                return nil
            },
            reveal: { .texts($0[keyPath: path].map(\.description)) }
        )
    }

    /// The list of API keys. It is secret.
    static func keys(
        _ key: String,
        _ path: any WritableKeyPath<ServerConfiguration, [String]> & Sendable,
        flag: String,
        _ summary: String
    ) -> Setting {
        Setting(
            key: key,
            flag: flag,
            environmentNames: environmentNames(key, []),
            summary: summary,
            isSecret: true,
            isList: true,
            apply: { raw, configuration in
                let keys = raw.elements
                // An empty key in the list is a mistake that would admit every client without a key.
                if keys.contains("") { return "has an empty key" }
                if keys.contains(DisplayValue.mask) { return "is what `config print` shows in place of the keys" }
                let isPlain = keys.allSatisfy {
                    $0.utf8.count <= 1024 && $0.utf8.allSatisfy { (0x21...0x7E).contains($0) }
                }
                // A header field cannot carry other characters (RFC 9110 section 5.5).
                if !isPlain { return "has a key that is not up to 1024 visible ASCII characters without spaces" }
                configuration[keyPath: path] = keys
                return nil
            },
            reveal: { .texts($0[keyPath: path]) }
        )
    }
}
