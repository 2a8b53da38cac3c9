import ApusProtocol

@testable import ApusServer

extension FuzzTarget {
    /// Three parts with a zero between them: the text of a file, lines of the environment (`NAME=value`), and lines of
    /// flags (`key=value`).
    static let configuration = FuzzTarget(name: "Configuration") {
        let check = try ConfigurationCheck()
        return { bytes in
            let parts = FuzzInput(bytes).texts(separatedBy: "\0")
            try check.run(file: parts.part(0), environment: parts.part(1), flags: parts.part(2))
        }
    }
}

private struct ConfigurationCheck {
    private let file: Scratch
    private let secret: Scratch
    private let printed: Scratch

    init() throws {
        (file, secret, printed) = (try Scratch(), try Scratch(), try Scratch())
    }

    func run(file text: String, environment: String, flags: String) throws {
        file.write(text)
        let variables = variables(environment)
        var given: [String: [String]] = [:]
        for (key, value) in Self.pairs(flags) where Setting.named(key) != nil { given[key, default: []].append(value) }
        let result = Result { () throws(ConfigurationError) in
            try ServerConfiguration.load(flags: given, environment: variables, file: file.path)
        }
        switch result {
        case .success(let loaded): try check(loaded)
        case .failure(let error): try check(error)
        }
    }

    /// Variables whose values are paths name a file that there is.
    private func variables(_ text: String) -> [String: String] {
        var variables: [String: String] = [:]
        for (name, value) in Self.pairs(text) {
            if name.hasSuffix("_FILE") {
                secret.write(value)
                variables[name] = secret.path
            } else {
                variables[name] = value
            }
        }
        return variables
    }

    private static func pairs(_ text: String) -> [(String, String)] {
        text.utf8.split(separator: UInt8(ascii: "\n")).prefix(16).compactMap { line in
            let parts = line.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            return parts.count == 2 ? (String(Substring(parts[0])), String(Substring(parts[1]))) : nil
        }
    }

    private func check(_ error: ConfigurationError) throws {
        try require(Self.isOneLine(error.description), "an error is one line: \(error)")
        try require(!error.reason.isEmpty, "an error has a reason")
        guard error.code != .unknownSetting else { return }
        let setting = Setting.named(error.setting)
        try require(
            setting != nil || error.setting == "config" || Setting.isGroup(error.setting),
            "an error names a setting: \(error)"
        )
        let isFile = error.code == .unusableFile
        try require(setting?.isSecret != true || isFile || error.value == nil, "an error keeps a secret")
    }

    private func check(_ loaded: LoadedConfiguration) throws {
        for warning in loaded.warnings {
            try require(!warning.isEmpty && Self.isOneLine(warning), "a warning is one line: \(warning)")
        }
        try require(loaded.warnings.count <= 21, "warnings keep their limit")
        try require(JSONValue(loaded.json) != nil, "a configuration is printed as JSON")
        let text = loaded.yaml
        let configuration = loaded.configuration
        guard !Setting.all.contains(where: { $0.isSecret && $0.show(configuration) == .secret }) else { return }
        printed.write(text)
        let again: LoadedConfiguration
        do {
            again = try ServerConfiguration.load(environment: [:], file: printed.path)
        } catch {
            throw Broken(invariant: "a printed configuration is read again: \(error)")
        }
        for setting in Setting.all {
            try require(setting.isSame(again.configuration, configuration), "\(setting.key) is printed as it is")
        }
    }

    private static func isOneLine(_ text: String) -> Bool {
        !text.unicodeScalars.contains(where: PlainText.isUnsafe)
    }
}
