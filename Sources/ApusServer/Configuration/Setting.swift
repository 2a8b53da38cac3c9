/// A row of the table of settings (``all``): its names, its place in a configuration, and how its values are written.
///
/// Reading settings, `config print`, warnings about unknown keys, the flags and their help, and the documentation test
/// all use this table, so a new setting is one property and one row.
package struct Setting: Sendable {
    /// The key as in a file. A dot separates levels of nesting.
    package let key: String
    /// The flag without its dashes.
    package let flag: String
    /// The environment variables. The first that is set wins.
    package let environmentNames: [String]
    /// What stands for a value in a help text, such as `count`.
    package let valueName: String
    package let summary: String
    package let isSecret: Bool
    package let isList: Bool
    /// Whether a secret may also be in a file that a variable names.
    private let hasFileVariable: Bool
    /// Whether a file may use lists and mappings as the value. They are read as JSON.
    let isStructured: Bool
    /// Whether a running server takes a new value at a reload. All others need a restart.
    package let isReloadable: Bool
    /// Stores a value in a configuration.
    let apply: @Sendable (RawValue, inout ServerConfiguration) throws(ValueFault) -> Void
    /// The value, with secrets unmasked.
    let reveal: @Sendable (ServerConfiguration) -> DisplayValue
    /// Whether two configurations have the same value.
    let isSame: @Sendable (ServerConfiguration, ServerConfiguration) -> Bool
    /// Gives a configuration the value of another one.
    let copy: @Sendable (ServerConfiguration, inout ServerConfiguration) -> Void

    /// - Parameters:
    ///   - path: the setting's place in a configuration, where its default is, too.
    ///   - codec: the type, and which values are valid.
    ///   - flag: `nil` for the key with dashes.
    ///   - aliases: further names in the environment.
    ///   - isReloadable: whether a running server takes a new value.
    ///   - hasFileVariable: whether a secret may also be in a file that a variable names.
    ///   - summary: one sentence for the help.
    init<Value: Equatable>(
        _ key: String,
        _ path: any WritableKeyPath<ServerConfiguration, Value> & Sendable,
        _ codec: ValueCodec<Value>,
        flag: String? = nil,
        aliases: [String] = [],
        isReloadable: Bool = false,
        hasFileVariable: Bool = true,
        _ summary: String
    ) {
        self.key = key
        self.flag = flag ?? String(key.map { $0 == "_" || $0 == "." ? "-" : $0 })
        environmentNames = ["APUS_" + key.uppercased().replacing(".", with: "_")] + aliases
        valueName = codec.valueName
        self.summary = summary
        isSecret = codec.isSecret
        self.hasFileVariable = hasFileVariable
        isList = codec.isList
        isStructured = codec.isStructured
        self.isReloadable = isReloadable
        apply = { raw, configuration throws(ValueFault) in configuration[keyPath: path] = try codec.read(raw) }
        reveal = { codec.show($0[keyPath: path]) }
        isSame = { $0[keyPath: path] == $1[keyPath: path] }
        copy = { $1[keyPath: path] = $0[keyPath: path] }
    }

    /// For a secret: the variable with the path of a file that contains the value.
    package var environmentFileName: String? {
        isSecret && hasFileVariable ? environmentNames.first.map { $0 + EnvironmentVariables.fileSuffix } : nil
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
