package import ApusProtocol

/// The rules of a key, a token or of anonymous clients, read from JSON, and what was wrong with them.
///
/// A malformed rule grants nothing, as a whole. A malformed rule that denies, or may be meant to, denies everything:
/// to leave it out would allow what it was written to prevent. Both are told in ``warnings``.
package struct RuleList: Hashable, Sendable {
    /// The most rules in a list. A longer list is malformed.
    package static let maximumRules = 256
    /// The most topics of all rules together. A list with more is malformed.
    package static let maximumTopics = 1024
    /// The most warnings that are kept; more say nothing new.
    package static let maximumWarnings = 20

    package private(set) var rules: [Rule] = []
    /// One sentence each, without anything that the list contains.
    package private(set) var warnings: [String] = []

    /// No rules, which grant nothing.
    package static let none = RuleList(rules: [])
    /// Everything on every topic.
    package static let all = RuleList(rules: [Rule(number: 1, actions: .all, topics: [">"])])

    package init(rules: [Rule]) {
        self.rules = rules
    }

    /// Reads the value of a token's claim, or of `rights` in a file.
    package init(_ value: JSONValue) {
        read(value)
    }

    private mutating func read(_ value: JSONValue) {
        guard case .array(let values) = value else { return refuse("the rights are not a list of rules") }
        guard values.count <= Self.maximumRules else {
            return refuse("there are more than \(Self.maximumRules) rules")
        }
        var topics = 0
        for (index, value) in values.enumerated() {
            let number = index + 1
            do throws(Fault) {
                let rule = try Self.rule(value, number: number)
                topics += rule.topics.count
                guard topics <= Self.maximumTopics else {
                    return refuse("the rules have more than \(Self.maximumTopics) topics")
                }
                rules.append(rule)
                noteOddities(of: rule)
            } catch {
                let consequence = error.mayDeny ? "so everything is denied" : "so it grants nothing"
                warn("rule \(number) is malformed, \(consequence): \(error.reason)")
                if error.mayDeny { rules.append(Rule(number: number, isDeny: true, actions: .all, topics: [">"])) }
            }
        }
    }

    /// A list that cannot be read may have had denies in it, but it grants nothing either.
    private mutating func refuse(_ reason: String) {
        rules = []
        warnings = ["\(reason), so they grant nothing"]
    }

    private mutating func warn(_ warning: String) {
        if warnings.count < Self.maximumWarnings { warnings.append(warning) }
    }

    private mutating func noteOddities(of rule: Rule) {
        if let index = rule.topics.firstIndex(where: Rule.hasUnknownPlaceholder) {
            warn(
                """
                rule \(rule.number), topic \(index + 1): only {sub} and {client_id} are placeholders; it is taken \
                literally
                """
            )
        }
        if !rule.isDeny, rule.actions == .admin, !rule.topics.contains(">") {
            warn("rule \(rule.number) grants nothing: admin counts only on >")
        }
    }
}

// MARK: - Reading a rule

extension RuleList {
    private struct Fault: Error {
        let reason: String
        /// Whether the rule denies, or says something about denying that is neither true nor false.
        var mayDeny: Bool
    }

    /// Members with any other name make a rule malformed: a misspelled `deny` must not turn into a grant.
    private static func rule(_ value: JSONValue, number: Int) throws(Fault) -> Rule {
        guard case .object(let members) = value else { throw Fault(reason: "it is not an object", mayDeny: false) }
        var isDeny = false
        for case ("deny", let value) in members {
            guard case .boolean(let truth) = value else {
                throw Fault(reason: "deny is neither true nor false", mayDeny: true)
            }
            isDeny = isDeny || truth
        }
        func fault(_ reason: String) -> Fault { Fault(reason: reason, mayDeny: isDeny) }
        guard Set(members.map(\.name)).count == members.count else { throw fault("it has a member a second time") }
        var actions: Actions?
        var topics: [String]?
        for (name, value) in members {
            switch name {
            case "deny": break
            case "actions":
                guard let names = value.texts else { throw fault("actions is not a list of texts") }
                if let index = names.firstIndex(where: { Actions(name: $0) == nil }) {
                    throw fault("action \(index + 1) is not one of \(Actions.allNames)")
                }
                actions = names.compactMap(Actions.init(name:)).reduce([]) { $0.union($1) }
            case "topics":
                guard let texts = value.texts else { throw fault("topics is not a list of texts") }
                if let index = texts.firstIndex(where: { Rule.pattern(of: $0, subject: "x") == nil }) {
                    throw fault("topic \(index + 1) is neither a name nor a filter")
                }
                topics = texts
            default: throw fault("it has a member other than actions, topics and deny")
            }
        }
        guard let actions, !actions.isEmpty else { throw fault("it has no actions") }
        guard let topics, !topics.isEmpty else { throw fault("it has no topics") }
        return Rule(number: number, isDeny: isDeny, actions: actions, topics: topics)
    }
}

extension JSONValue {
    /// The elements of a list of strings; `nil` for anything else.
    fileprivate var texts: [String]? {
        guard case .array(let values) = self else { return nil }
        let texts = values.compactMap(\.string)
        return texts.count == values.count ? texts : nil
    }
}
