import ArgumentParser
import Foundation

/// What the commands' help says, as the argument parser describes it.
struct HelpTree: Decodable {
    struct Command: Decodable {
        var commandName: String
        var abstract: String?
        var discussion: String?
        var shouldDisplay: Bool?
        var defaultSubcommand: String?
        var subcommands: [Command]?
        var arguments: [Argument]?

        /// The commands below this one that are no secret.
        var shown: [Command] {
            (subcommands ?? []).filter { $0.commandName != "help" && $0.shouldDisplay ?? true }
        }
    }

    struct Argument: Decodable {
        struct Name: Decodable {
            var kind: String
            var name: String

            var text: String { (kind == "long" ? "--" : "-") + name }
        }

        var kind: String
        var names: [Name]?
        var valueName: String?
        var abstract: String?
        var discussion: String?
        var defaultValue: String?
        var allValues: [String]?
        var isOptional: Bool
        var isRepeating: Bool
        var shouldDisplay: Bool
        var sectionTitle: String?
    }

    var command: Command

    static func ofProgram() throws -> HelpTree {
        try JSONDecoder().decode(HelpTree.self, from: Data(Apus._dumpHelp().utf8))
    }
}
