import ApusProtocol

@testable import ApusAccess

extension FuzzTarget {
    /// Lines: two lists of rules in JSON, a subject, then names and filters.
    static let rights = FuzzTarget(name: "Rights") {
        { bytes in
            let lines = FuzzInput(bytes).texts(separatedBy: "\n")
            let lists = [lines.part(0), lines.part(1)].map { JSONValue($0).map { RuleList($0) } ?? .none }
            let subject = lines.part(2)
            for list in lists { try RightsCheck.checkList(list) }
            let rights = lists.map { Rights($0, subject: subject.isEmpty ? nil : subject) }
            let texts = Array(lines.dropFirst(3).prefix(12))
            for (list, rights) in zip(lists, rights) {
                try RightsCheck(list: list, rights: rights, subject: subject, texts: texts).run()
            }
            if rights[0].covers(rights[1]) {
                for name in texts where TopicName.isAllowed(name) {
                    let (wide, narrow) = (rights[0].actions(onTopic: name), rights[1].actions(onTopic: name))
                    try require(wide.isSuperset(of: narrow), "rights that cover others allow what they allow")
                }
            }
        }
    }
}

private struct RightsCheck {
    let list: RuleList
    let rights: Rights
    let subject: String
    let texts: [String]

    static func checkList(_ list: RuleList) throws {
        try require(list.rules.count <= RuleList.maximumRules, "rules keep their limit")
        try require(list.warnings.count <= RuleList.maximumWarnings, "warnings keep their limit")
        try require(
            list.rules.reduce(0) { $0 + $1.topics.count } <= RuleList.maximumTopics + RuleList.maximumRules,
            "topics keep their limit"
        )
        let again = JSONValue(list.json).map { RuleList($0) }
        try require(
            again?.rules.map(Text.init) == list.rules.map(Text.init),
            "printed rules are read again as they are"
        )
    }

    /// What a rule says, without its number.
    private struct Text: Equatable {
        let isDeny: Bool
        let actions: Actions
        let topics: [[UInt8]]

        init(_ rule: Rule) {
            isDeny = rule.isDeny
            actions = rule.actions
            topics = rule.topics.map { Array($0.utf8) }
        }
    }

    func run() throws {
        for text in texts {
            let allowed = rights.actions(onTopic: text)
            try require(allowed == expected(onTopic: text), "rights are what grants add up to, less what is denied")
            try require(!allowed.contains(.admin), "admin is about no topic")
            guard let pattern = TopicPattern(text) else { continue }
            for (_, action) in Actions.named { try check(action, pattern) }
        }
    }

    private func check(_ action: Actions, _ pattern: TopicPattern) throws {
        let verdict = rights.verdict(on: action, of: pattern)
        try require(rights.allows(action, pattern: pattern) == verdict.isAllowed, "a verdict is what is allowed")
        if rights.isUnlimited, action != .admin || pattern == .everything {
            try require(verdict.isAllowed, "unlimited rights allow everything")
        }
        guard action != .admin else {
            try require(!verdict.isAllowed || pattern == .everything, "admin counts only on >")
            return
        }
        if pattern.isName {
            let isAllowed = rights.allows(action, topic: pattern.text)
            try require(verdict.isAllowed == isAllowed, "a name is allowed as a pattern if it is as a topic")
        }
        guard verdict.isAllowed else { return }
        try require(rights.mayAllow(action), "what is allowed on a pattern may be allowed on a topic")
        let exclusions = rights.exclusions(within: pattern)
        for name in texts where TopicName.isAllowed(name) && pattern.matches(name) {
            try require(
                rights.allows(action, topic: name) != exclusions.actions(deniedOn: name).contains(action),
                "a topic of an allowed pattern is allowed, or excluded"
            )
        }
    }

    /// The same decision, rule by rule.
    private func expected(onTopic name: String) -> Actions {
        guard PlainRules.isName(name) else { return rights.isUnlimited ? .onTopics : [] }
        var granted: Actions = []
        var denied: Actions = []
        for rule in list.rules {
            let topics = rule.topics.compactMap(meaning)
            guard topics.contains(where: { PlainRules.matches($0, name) }) else { continue }
            if rule.isDeny { denied.formUnion(rule.actions) } else { granted.formUnion(rule.actions) }
        }
        return granted.subtracting(denied).intersection(.onTopics)
    }

    /// What a rule's topic means for the subject; `nil` for nothing.
    private func meaning(of topic: String) -> String? {
        var text: [UInt8] = []
        var rest = Array(topic.utf8)[...]
        let placeholders = ["{sub}", "{client_id}"].map { Array($0.utf8) }
        var namesSubject = false
        while let byte = rest.first {
            if let found = placeholders.first(where: { rest.starts(with: $0) }) {
                namesSubject = true
                text += Array(subject.utf8)
                rest = rest.dropFirst(found.count)
            } else {
                text.append(byte)
                rest = rest.dropFirst()
            }
        }
        if namesSubject, subject.isEmpty || subject.utf8.contains(where: { ".*>".utf8.contains($0) }) { return nil }
        let meant = String(decoding: text, as: UTF8.self)
        return PlainRules.isName(meant) || PlainRules.isFilter(meant) ? meant : nil
    }
}
