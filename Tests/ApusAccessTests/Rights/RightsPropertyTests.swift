import ApusAccess
import ApusTesting
import Testing

/// Random rules against a naive model that tries all names of a small alphabet.
struct RightsPropertyTests {
    private static let actions: [Actions] = [.subscribe, .history, .publish, .presence]

    private static func list(using random: inout SeededGenerator) -> RuleList {
        RuleList(
            rules: (1...Int.random(in: 1...4, using: &random)).map { number in
                Rule(
                    number: number,
                    isDeny: random.chance(35),
                    actions: Self.actions.reduce([]) { random.chance(40) ? $0.union($1) : $0 },
                    topics: (0..<Int.random(in: 1...2, using: &random)).map { _ in
                        TopicPatternTests.random(using: &random).text
                    }
                )
            }
        )
    }

    /// Whether one of the rules of that kind matches the name.
    private static func says(_ list: RuleList, isDeny: Bool, _ action: Actions, _ name: String) -> Bool {
        list.rules.contains { rule in
            rule.isDeny == isDeny && rule.actions.contains(action)
                && rule.topics.contains { TopicPattern($0)?.matches(name) == true }
        }
    }

    @Test func `An action on a name is allowed exactly if a grant matches and no deny does`() {
        var random = SeededGenerator(seed: 1)
        for round in 0..<50 {
            let list = Self.list(using: &random)
            let rights = Rights(list, subject: nil)
            for name in TopicPatternTests.names {
                for action in Self.actions {
                    let expected =
                        Self.says(list, isDeny: false, action, name) && !Self.says(list, isDeny: true, action, name)
                    #expect(rights.allows(action, topic: name) == expected, "round \(round): \(name), \(list.json)")
                    let verdict = TopicPattern(name).map { rights.verdict(on: action, of: $0).isAllowed }
                    #expect(verdict == expected, "round \(round): \(name), \(list.json)")
                }
            }
        }
    }

    @Test func `A pattern is allowed exactly if one grant matches all of its names and no deny does`() {
        var random = SeededGenerator(seed: 2)
        for round in 0..<200 {
            let list = Self.list(using: &random)
            let rights = Rights(list, subject: nil)
            let pattern = TopicPatternTests.random(using: &random)
            let names = (TopicPatternTests.names + TopicPatternTests.other(pattern)).filter(pattern.matches)
            for action in Self.actions {
                func covered(byDeny isDeny: Bool) -> Bool {
                    list.rules.contains { rule in
                        rule.isDeny == isDeny && rule.actions.contains(action)
                            && rule.topics.contains { TopicPattern($0).map { names.allSatisfy($0.matches) } == true }
                    }
                }
                #expect(
                    rights.allows(action, pattern: pattern) == (covered(byDeny: false) && !covered(byDeny: true)),
                    "round \(round): \(pattern), \(list.json)"
                )
            }
        }
    }

    @Test func `What is left of an allowed pattern is what is allowed on its names`() {
        var random = SeededGenerator(seed: 3)
        for round in 0..<200 {
            let list = Self.list(using: &random)
            let rights = Rights(list, subject: nil)
            let pattern = TopicPatternTests.random(using: &random)
            let exclusions = rights.exclusions(within: pattern)
            for action in Self.actions where rights.allows(action, pattern: pattern) {
                for name in TopicPatternTests.names where pattern.matches(name) {
                    #expect(
                        rights.allows(action, topic: name) == !exclusions.actions(deniedOn: name).contains(action),
                        "round \(round): \(pattern), \(name), \(list.json)"
                    )
                }
            }
        }
    }

    @Test func `Rights that cover others allow all that those do`() {
        var random = SeededGenerator(seed: 4)
        var covering = 0
        for round in 0..<500 {
            let old = Rights(Self.list(using: &random), subject: nil)
            let new = Rights(Self.list(using: &random), subject: nil)
            guard new.covers(old) else { continue }
            covering += 1
            let pattern = TopicPatternTests.random(using: &random)
            for action in Self.actions where old.allows(action, pattern: pattern) {
                #expect(new.allows(action, pattern: pattern), "round \(round)")
            }
            for name in TopicPatternTests.names {
                #expect(
                    new.actions(onTopic: name).isSuperset(of: old.actions(onTopic: name)),
                    "round \(round): \(name)"
                )
            }
        }
        #expect(covering > 5)
    }
}
