import ApusProtocol

/// What one client may do, and on which topics. A pure value: the same question always gets the same answer.
///
/// Grants add up, and a deny wins over all of them. The same rules decide three questions:
///
/// - on one topic: ``actions(onTopic:)``, made to be asked once for each topic and then remembered;
/// - on a pattern: ``verdict(on:of:)``, where one grant has to cover every name that the pattern can match, because
///   only then the answer stays true for topics that are created later. What denies take out of an allowed pattern is
///   in ``exclusions(within:)``;
/// - on the whole server, for what has no topic: the same question about ``TopicPattern/everything``.
///
/// Rules are few, so they are tried one by one. Their number is bounded by ``RuleList``.
package struct Rights: Hashable, Sendable {
    /// One topic of one rule.
    struct Entry: Hashable, Sendable {
        let pattern: TopicPattern
        let actions: Actions
        /// The number of the rule.
        let rule: Int
    }

    let grants: [Entry]
    let denies: [Entry]
    /// Whether everything is allowed, so that nobody has to look at a name.
    package let isUnlimited: Bool

    /// Nothing at all.
    package static let none = Rights(.none, subject: nil)
    /// Everything on every topic.
    package static let all = Rights(.all, subject: nil)

    /// The rules as they read for one subject.
    ///
    /// - Parameter subject: a token's `sub` or a key's id, for `{sub}` and `{client_id}`.
    package init(_ list: RuleList, subject: String?) {
        var grants: [Entry] = []
        var denies: [Entry] = []
        for rule in list.rules {
            for topic in rule.topics {
                guard let pattern = Rule.pattern(of: topic, subject: subject) else { continue }
                let actions = pattern == .everything ? rule.actions : rule.actions.subtracting(.admin)
                guard !actions.isEmpty else { continue }
                let entry = Entry(pattern: pattern, actions: actions, rule: rule.number)
                if rule.isDeny { denies.append(entry) } else { grants.append(entry) }
            }
        }
        self.grants = grants
        self.denies = denies
        isUnlimited = denies.isEmpty && grants.contains { $0.pattern == .everything && $0.actions == .all }
    }

    /// Everything that is allowed on the topic of that name; nothing if it is no name of a topic.
    ///
    /// `admin` is never in it: it is about the server, so who has nothing else does not see a topic either.
    package func actions(onTopic name: String) -> Actions {
        if isUnlimited { return .onTopics }
        // A filter is no name: as one, `*` would be a token that a granted `*` matches.
        guard TopicName.isAllowed(name) else { return [] }
        let tokens = ExactText.tokens(of: name)
        var actions: Actions = []
        for grant in grants where !actions.isSuperset(of: grant.actions) && grant.pattern.matches(tokens) {
            actions.formUnion(grant.actions)
        }
        for deny in denies where !actions.isDisjoint(with: deny.actions) && deny.pattern.matches(tokens) {
            actions.subtract(deny.actions)
        }
        return actions.intersection(.onTopics)
    }

    /// Whether all of these actions are allowed on the topic of that name.
    package func allows(_ actions: Actions, topic: String) -> Bool {
        self.actions(onTopic: topic).isSuperset(of: actions)
    }

    /// Whether all of these actions are allowed on every topic that the pattern matches, apart from what is denied.
    ///
    /// Each action needs one grant that covers the pattern. A pattern of which a deny leaves nothing is not allowed.
    package func allows(_ actions: Actions, pattern: TopicPattern) -> Bool {
        actions.elements.allSatisfy { verdict(on: $0, of: pattern).isAllowed }
    }

    /// Whether all of these actions are allowed on the server as a whole: a grant on `>`, without a deny on `>`.
    package func allowsEverywhere(_ actions: Actions) -> Bool {
        allows(actions, pattern: .everything)
    }

    /// Whether an action may be allowed on some topic, whether or not there is one.
    package func mayAllow(_ action: Actions) -> Bool {
        grants.contains { $0.actions.contains(action) }
    }

    /// Whether a listing may show the topic: there is any right to it.
    package func hasAnyRight(onTopic name: String) -> Bool {
        !actions(onTopic: name).isEmpty
    }
}

// MARK: - Patterns

extension Rights {
    /// Why something is allowed or not. The numbers are those of rules, counted from 1.
    package enum Verdict: Hashable, Sendable {
        case granted(by: Int)
        case denied(by: Int)
        /// No single grant covers it.
        case notGranted

        package var isAllowed: Bool {
            if case .granted = self { true } else { false }
        }
    }

    /// Whether one action is allowed on a topic or a pattern, and which rule says so.
    package func verdict(on action: Actions, of pattern: TopicPattern) -> Verdict {
        guard action != .admin || pattern == .everything else { return .notGranted }
        func decides(_ entry: Entry) -> Bool { entry.actions.contains(action) && entry.pattern.covers(pattern) }
        if let deny = denies.first(where: decides) { return .denied(by: deny.rule) }
        return grants.first(where: decides).map { .granted(by: $0.rule) } ?? .notGranted
    }

    /// What denies take out of a pattern that is allowed.
    package func exclusions(within pattern: TopicPattern) -> Exclusions {
        Exclusions(denies: denies.filter { $0.pattern.overlaps(pattern) })
    }

    /// The topics of a pattern that its subscriber does not get, for each action on its own.
    package struct Exclusions: Hashable, Sendable {
        fileprivate let denies: [Entry]

        /// Whether nothing is left out.
        package var isEmpty: Bool { denies.isEmpty }

        /// The numbers of the rules that leave something out of an action.
        package func rules(for action: Actions) -> [Int] {
            denies.filter { $0.actions.contains(action) }.map(\.rule)
        }

        /// What is denied on the topic of that name, which the pattern matches.
        package func actions(deniedOn name: String) -> Actions {
            guard !denies.isEmpty else { return [] }
            let tokens = ExactText.tokens(of: name)
            return denies.reduce(into: []) { actions, deny in
                if !actions.isSuperset(of: deny.actions), deny.pattern.matches(tokens) {
                    actions.formUnion(deny.actions)
                }
            }
        }
    }
}

// MARK: - Comparing

extension Rights {
    /// Whether everything that `other` allows is allowed here, too, for names and for patterns.
    ///
    /// May say no where it is true, if several grants together allow what one did before. It is never wrong with yes.
    package func covers(_ other: Rights) -> Bool {
        if isUnlimited || self == other { return true }
        let keepsGrants = other.grants.allSatisfy { old in
            old.actions.elements.allSatisfy { action in
                grants.contains { $0.actions.contains(action) && $0.pattern.covers(old.pattern) }
            }
        }
        // A deny takes nothing away if it was denied before, or if nothing that it is about was granted.
        return keepsGrants
            && denies.allSatisfy { deny in
                deny.actions.elements.allSatisfy { action in
                    other.denies.contains { $0.actions.contains(action) && $0.pattern.covers(deny.pattern) }
                        || !other.grants.contains { $0.actions.contains(action) && $0.pattern.overlaps(deny.pattern) }
                }
            }
    }
}
