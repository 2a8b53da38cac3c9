import ApusServer
import ArgumentParser
import Foundation

/// Every server setting as a flag, for the commands that need the server's configuration.
///
/// The options are made from the table of settings. ArgumentParser finds a type's options in its mirror, so the mirror
/// lists one option for each setting, and decoding reads them by the same labels. All flags are text, so an invalid
/// value is a configuration error, with the same exit code and message for every source.
struct ServerOptions: ParsableArguments, CustomReflectable {
    /// The file of settings, if one is given.
    let config: String?
    /// The given flags' values by the setting's key.
    let flags: [String: [String]]

    init() {
        (config, flags) = (nil, [:])
    }

    init(from decoder: any Decoder) throws {
        let options = try decoder.container(keyedBy: Label.self)
        config = try options.decode(Option<String?>.self, forKey: .config).wrappedValue
        var flags: [String: [String]] = [:]
        for setting in Setting.all {
            let label = Label(stringValue: setting.flag)
            let texts =
                setting.isList
                ? try options.decode(Option<[String]>.self, forKey: label).wrappedValue
                : try options.decode(Option<String?>.self, forKey: label).wrappedValue.map { [$0] } ?? []
            if !texts.isEmpty { flags[setting.key] = texts }
        }
        self.flags = flags
    }

    var customMirror: Mirror {
        let file = Option<String?>(
            help: ArgumentHelp("A JSON or YAML file of settings. (env: APUS_CONFIG; default: none)", valueName: "file"),
            completion: .file()
        )
        let settings = Setting.all.map { setting -> Mirror.Child in
            let name = NameSpecification.customLong(setting.flag)
            let option: Any =
                setting.isList
                ? Option<[String]>(wrappedValue: [], name: name, help: setting.help)
                : Option<String?>(name: name, help: setting.help)
            return (setting.flag, option)
        }
        return Mirror(self, children: [(Label.config.stringValue, file)] + settings)
    }

    /// The label of an option: its flag.
    private struct Label: CodingKey {
        static let config = Label(stringValue: "config")

        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) {
            self.stringValue = stringValue
        }

        init?(intValue: Int) { nil }
    }

    /// Loads the configuration from these flags, the environment and the file.
    func read() throws(ConfigurationError) -> LoadedConfiguration {
        try ServerConfiguration.load(
            flags: flags,
            environment: ProcessInfo.processInfo.environment,
            file: config
        )
    }

    /// Loads the configuration. If it is invalid, prints the reason and exits with code 78.
    func load() throws -> LoadedConfiguration {
        do throws(ConfigurationError) {
            return try read()
        } catch {
            StandardError.write("apus: \(error)\n")
            throw ExitCode.badConfiguration
        }
    }
}

extension Setting {
    /// The help text, with the environment variable and the default.
    fileprivate var help: ArgumentHelp {
        let variable = environmentNames.first ?? ""
        return ArgumentHelp("\(summary) (env: \(variable); default: \(defaultText))", valueName: valueName)
    }
}
