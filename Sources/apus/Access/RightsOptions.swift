import ApusAccess
import ApusProtocol
import ArgumentParser

/// The rules that a key or a token gets: `--allow`, `--deny` and `--rights`.
struct RightsOptions: ParsableArguments {
    @Option(
        name: .customLong("allow"),
        help: ArgumentHelp(
            "Allow actions on a topic or pattern, such as subscribe,history:orders.> (may be repeated).",
            valueName: "actions:topic"
        )
    )
    var grants: [String] = []

    @Option(
        name: .customLong("deny"),
        help: ArgumentHelp("Deny them, whatever else allows them (may be repeated).", valueName: "actions:topic")
    )
    var denies: [String] = []

    @Option(help: ArgumentHelp("A whole list of rules, as a file has it.", valueName: "json"))
    var rights: String?

    /// The rules, without anything that would be a warning in a file.
    func rules() throws -> RuleList {
        if let rights {
            guard grants.isEmpty, denies.isEmpty else {
                throw CommandFailure("give either --rights, or --allow and --deny", exitCode: .usage)
            }
            guard let value = JSONValue(rights) else { throw CommandFailure("--rights is not JSON", exitCode: .usage) }
            return try Self.checked(RuleList(value))
        }
        let rules = try grants.map { try Self.rule($0, isDeny: false) } + denies.map { try Self.rule($0, isDeny: true) }
        guard let value = JSONValue("[" + rules.joined(separator: ",") + "]") else {
            throw CommandFailure("the rules cannot be read", exitCode: .usage)
        }
        return try Self.checked(RuleList(value))
    }

    /// A topic may have a colon or a comma in it: only the first colon separates.
    private static func rule(_ text: String, isDeny: Bool) throws -> String {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else {
            throw CommandFailure("'\(text)' is not ACTIONS:TOPIC, such as publish:orders.>", exitCode: .usage)
        }
        var rule = JSONObjectText()
        if isDeny { rule.member("deny", json: "true") }
        rule.member("actions", parts[0].split(separator: ",", omittingEmptySubsequences: false).map(String.init))
        rule.member("topics", [String(parts[1])])
        return rule.object
    }

    private static func checked(_ list: RuleList) throws -> RuleList {
        guard let warning = list.warnings.first else { return list }
        let actions = Actions.named.map(\.name).joined(separator: ", ")
        throw CommandFailure("\(warning) (actions are \(actions) and *)", exitCode: .usage)
    }
}
